// SPDX-License-Identifier: Apache-2.0

extension QueryMatcher {
    /// The term without its minus; a missing field holds nothing.
    func holds(
        _ item: Item, _ record: MessageRecord, _ queue: QueueName, _ body: inout LazyBody
    ) -> Bool {
        switch item.term.test {
        case .word:
            if let reason = record.reason, Self.occurs(item.needles, in: reason) { return true }
            return body.arguments()?.first { scalar in
                switch scalar {
                case .text(let text):
                    Self.occurs(item.needles, in: String(decoding: text, as: UTF8.self))
                case .number(let number): Self.occurs(item.needles, in: number.description)
                case .flag, .null: false
                }
            } ?? false
        case .error: return record.reason.map { Self.occurs(item.needles, in: $0) } ?? false
        case .text(let field, let patterns):
            return texts(field, record, queue, &body).contains { text in
                patterns.contains { $0.fits(text) }
            }
        case .argument(let path, let patterns):
            return body.arguments()?.first(at: path) { scalar in
                patterns.contains { Self.fits($0, scalar) }
            } ?? false
        case .number(let field, let spans):
            guard let value = number(field, record, body) else { return false }
            return spans.contains { $0.contains(value) }
        case .duration(let field, let spans):
            guard let value = duration(field, record) else { return false }
            return spans.contains { $0.contains(value) }
        case .time(let field, _):
            guard let moment = moment(field, record) else { return false }
            return item.moments.contains { $0.contains(moment.milliseconds) }
        case .has(let presences):
            return presences.contains { presence in
                switch presence {
                case .argument(let path): body.arguments()?.hasValue(at: path) ?? false
                case .field(let field): has(field, record, queue, &body)
                }
            }
        }
    }

    private func has(
        _ field: QueryField, _ record: MessageRecord, _ queue: QueueName, _ body: inout LazyBody
    ) -> Bool {
        switch field.form {
        case .text: !texts(field, record, queue, &body).isEmpty
        case .reason: record.reason != nil
        case .number: number(field, record, body) != nil
        case .duration: duration(field, record) != nil
        case .time: moment(field, record) != nil
        }
    }

    private func texts(
        _ field: QueryField, _ record: MessageRecord, _ queue: QueueName, _ body: inout LazyBody
    ) -> [String] {
        func one(_ text: String?) -> [String] { text.map { [$0] } ?? [] }
        switch field {
        case .id: return [record.id.description]
        case .queue: return [queue.text]
        case .kind: return one(record.kind)
        case .state: return [record.state.rawValue]
        case .worker: return one(record.worker.map(String.init))
        case .unique: return one(record.uniqueKey)
        case .verdict: return one(record.verdict?.rawValue)
        case .fingerprint:
            return one(
                record.reason.map { Fingerprint(kind: record.kind ?? "", reason: $0).id })
        case .key: return one(body.envelope()?.headers[HeaderName.key])
        case .tag: return body.envelope()?.headers[HeaderName.tags].map(HeaderName.split) ?? []
        case .trace:
            return one(body.envelope()?.headers[HeaderName.trace].flatMap(HeaderName.traceID))
        default: return []
        }
    }

    private func number(
        _ field: QueryField, _ record: MessageRecord, _ body: LazyBody
    ) -> ExactNumber? {
        switch field {
        case .attempt: ExactNumber(Int(record.entry.attempt))
        case .count: ExactNumber(record.count)
        case .lost: ExactNumber(Int(record.entry.lost))
        case .generation: ExactNumber(Int(record.entry.generation))
        case .size: body.size.map { ExactNumber($0) }
        case .progress: record.checkpoint.flatMap(Self.progress)
        default: nil
        }
    }

    /// What a checkpoint says of itself: a number, or a map with `fraction` or `progress`, in
    /// MessagePack or JSON.
    private static func progress(_ checkpoint: [UInt8]) -> ExactNumber? {
        let isText =
            checkpoint.first == UInt8(ascii: "{")
            || checkpoint.count > 1 && (0x30...0x39).contains(checkpoint[0])
        let arguments = Arguments(checkpoint, isText ? .json : .messagePack)
        for path in [["fraction"], ["progress"], []] {
            var found: ExactNumber?
            _ = arguments.first(at: path) { scalar in
                if case .number(let number) = scalar { found = number }
                return true
            }
            if let found { return found }
        }
        return nil
    }

    /// Milliseconds, never below zero.
    private func duration(_ field: QueryField, _ record: MessageRecord) -> Int64? {
        func since(_ start: Timestamp, _ end: Timestamp) -> Int64 {
            let (difference, isOver) = end.milliseconds.subtractingReportingOverflow(
                start.milliseconds)
            return isOver ? (start < end ? .max : 0) : max(0, difference)
        }
        switch field {
        case .age: return since(record.entry.insertedAt, now)
        case .wait:
            if record.state == .ready { return since(record.entry.readyAt, now) }
            // What is to run again has no wait yet; its last run belongs to another.
            guard record.state != .scheduled, let start = record.executedAt,
                start >= record.entry.readyAt
            else { return nil }
            return since(record.entry.readyAt, start)
        case .run:
            guard let start = record.executedAt else { return nil }
            if record.state == .leased { return since(start, now) }
            return record.finishedAt.map { since(start, $0) }
        default: return nil
        }
    }

    private func moment(_ field: QueryField, _ record: MessageRecord) -> Timestamp? {
        switch field {
        case .inserted: record.entry.insertedAt
        case .due: record.dueAt
        case .executed: record.executedAt
        case .finished: record.finishedAt
        default: nil
        }
    }

    // MARK: Values

    private static func fits(_ pattern: Query.ArgumentPattern, _ scalar: Arguments.Scalar) -> Bool {
        switch (pattern, scalar) {
        case (.text(let wanted), .text(let text)), (.literal(let wanted), .text(let text)):
            text.elementsEqual(wanted.utf8)
        case (.prefix(let wanted), .text(let text)): text.starts(with: wanted.utf8)
        case (.literal(let wanted), .number(let number)): ExactNumber(wanted) == number
        case (.literal(let wanted), .flag(let flag)): wanted == (flag ? "true" : "false")
        case (.literal(let wanted), .null): wanted == "null"
        case (.number(let span), .number(let number)): span.contains(number)
        default: false
        }
    }

    private static func occurs(_ needles: [[UInt8]], in text: String) -> Bool {
        let text = folded(text)
        return needles.contains { needle in
            guard let first = needle.first else { return true }
            var place = 0
            while text.count - place >= needle.count {
                if text[place] == first, text[place...].starts(with: needle) { return true }
                place += 1
            }
            return false
        }
    }
}
