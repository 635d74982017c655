// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// `godwit enqueue`: payloads from the command line, from stdin or from the lines of a file.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a message, or one per line, to a queue.",
        discussion: """
            The bytes are stored as given: as JSON where they parse as JSON, as plain bytes \
            otherwise. Prints the id of each message. The same --id again adds nothing and exits \
            with 73, so an enqueue whose answer was lost is repeated with it; a --unique key that a \
            live message has prints that one's id and exits with 73 too. Take one back with \
            `godwit job cancel ID`.
            """)

    @Argument(help: "The queue.", transform: StoreOptions.queue)
    var queue: QueueName
    @Argument(help: "The kind of job, which chooses its handler.", transform: StoreOptions.kind)
    var kind: Kind
    @Argument(help: "The payload, or - to read it from stdin; empty when left out.")
    var payload: String?

    @Option(help: "One message per line of this file, or of stdin with -.")
    var lines: String?
    @Option(help: "0 is served first, 7 last.")
    var priority: Int = 3
    @Option(
        help: "Start no earlier than this from now: 500ms, 30s, 5m, 2h.",
        transform: StoreOptions.duration)
    var delay: Duration?
    @Option(help: "Start no earlier than this moment, in ISO 8601: 2026-01-31T08:00:00Z.")
    var at: String?
    @Option(help: "At most one live message of the queue has this key.")
    var unique: String?
    @Option(help: "A header that travels along, name=value; may be repeated.")
    var header: [String] = []
    @Option(help: "Your own id for the message, a UUID of version 7.", transform: StoreOptions.id)
    var id: MessageID?
    @Option(help: "Failures until the message is dead, 1 to 254.")
    var maxAttempts: Int?
    @OptionGroup var store: StoreOptions

    struct Accepted: Row {
        static let schema = "godwit.accepted/1"
        static let columns: [Column<Accepted>] = [
            .text("id", "for `godwit job show`") { $0.id },
            .text("state", "new, or known: nothing was added") { $0.isNew ? "new" : "known" },
            .flag("is_new", "it was added by this command", .detail) { $0.isNew },
        ]
        let id: String
        let isNew: Bool
    }

    func validate() throws {
        guard Priority(priority) != nil else {
            throw ValidationError("--priority is 0 (served first) to 7 (last), not \(priority).")
        }
        if let maxAttempts, !(1...254).contains(maxAttempts) {
            throw ValidationError("--max-attempts is 1 to 254, not \(maxAttempts).")
        }
        if delay != nil, at != nil {
            throw ValidationError("--delay and --at exclude each other: give one.")
        }
        if lines != nil, payload != nil {
            throw ValidationError("a payload and --lines exclude each other: give one.")
        }
        if lines != nil, id != nil || unique != nil {
            throw ValidationError(
                "--id and --unique name one message, --lines makes many: all but the first would be refused."
            )
        }
        if let unique, unique.isEmpty || unique.utf8.count > BrokerLimits.uniqueKeyBytes {
            throw ValidationError(
                "--unique takes 1 to \(BrokerLimits.uniqueKeyBytes) bytes, not \(unique.utf8.count)."
            )
        }
        _ = try options()
    }

    func run() async throws {
        let options = try options()
        let output = try store.output(Accepted.self)
        if let lines {
            return try await store.withStore {
                try await enqueue(LineSource(lines), options, on: $0, output)
            }
        }
        let payload = try bytes()
        let isDry = store.isDry
        try await store.withStore { store in
            noteMemory(store)
            if isDry {
                return Talk.say(
                    "would enqueue \(payload.count) bytes as \(Self.contentType(of: payload).text) into '\(self.queue)'; nothing was done"
                )
            }
            let queue = Queue(self.queue, on: store.broker)
            let accepted = try await queue.enqueue(
                kind: kind, payloads: [payload], as: Self.contentType(of: payload), options)
            try show(accepted, output)
            if accepted.contains(where: { !$0.isNew }) {
                throw ExitCode(Failure.Code.exists.rawValue)
            }
        }
    }

    private func enqueue(
        _ source: consuming LineSource, _ options: [EnqueueOption], on store: OpenStore,
        _ output: Output<Accepted>
    ) async throws {
        noteMemory(store)
        let queue = Queue(self.queue, on: store.broker)
        let batch = store.broker.limits.batch
        var all: [Accepted] = []
        var count = 0
        var known = 0
        var ended = false
        var unreadable: Failure?
        while !ended {
            // Why runs: one call carries one content type, and lines are mostly all alike.
            var type: ContentType?
            var payloads: [[UInt8]] = []
            while payloads.count < batch {
                let next: [UInt8]?
                do {
                    next = try source.peek(limit: store.broker.limits.messageBytes)
                } catch {
                    // What was gathered so far is sound, and goes before the fault is told.
                    unreadable = Failure(error)
                    next = nil
                }
                guard let line = next else {
                    ended = true
                    break
                }
                let own = Self.contentType(of: line)
                if type == nil { type = own }
                guard type == own else { break }
                payloads.append(line)
                source.take()
            }
            guard let type else { break }
            if self.store.isDry {
                count += payloads.count
                continue
            }
            do {
                let accepted = try await queue.enqueue(
                    kind: kind, payloads: payloads, as: type, options)
                count += accepted.count
                known += accepted.filter { !$0.isNew }.count
                let rows = accepted.map { Accepted(id: "\($0.id)", isNew: $0.isNew) }
                if self.store.format == .json {
                    all += rows
                } else {
                    try show(accepted, output, isFirst: count == accepted.count)
                }
            } catch {
                let failure = Failure(error)
                throw Failure(
                    failure.code,
                    """
                    \(failure.description) \(count) line(s) were accepted before; the lines from \
                    \(count + 1) to \(count + payloads.count) were in this call. Go on from line \
                    \(count + 1), for example with `tail -n +\(count + 1)`\
                    \(failure.code == .unavailable ? ", after a look at whether they got there" : "").
                    """)
            }
        }
        if self.store.format == .json { try output.list(all) }
        if let unreadable {
            throw Failure(
                unreadable.code,
                "\(unreadable.description) \(count) line(s) before it were accepted.")
        }
        Talk.say(
            (self.store.isDry ? "nothing was done: would be " : "")
                + "\(count) message(s) in '\(self.queue)'"
                + (known > 0 ? ", \(known) known before" : ""))
    }

    private func show(
        _ accepted: [Enqueued], _ output: Output<Accepted>, isFirst: Bool = true
    ) throws {
        let rows = accepted.map { Accepted(id: "\($0.id)", isNew: $0.isNew) }
        switch store.format {
        case .text where store.fields == nil:
            try Stdout.write(rows.map { $0.id + "\n" }.joined())
        case .json where rows.count == 1 && lines == nil: try output.one(rows[0])
        case .json: try output.list(rows)
        default: try output.stream(rows, isFirst: isFirst)
        }
        for row in rows where !row.isNew {
            Talk.say(
                "\(row.id) was there already: nothing was added; see `godwit job show \(row.id)`")
        }
    }

    private func noteMemory(_ store: OpenStore) {
        if store.name == "memory:" {
            Talk.say(
                "memory: ends with this command, and the message with it; use sqlite: or redis: to keep it"
            )
        }
    }

    private func bytes() throws -> [UInt8] {
        guard payload == "-" else { return Array((payload ?? "").utf8) }
        var source = try LineSource("-")
        // Why one more than the limit: what is over it is refused with its size, not cut.
        return try source.all(limit: BrokerLimits.hardMessageBytes + 1)
    }

    private func options() throws -> [EnqueueOption] {
        var options: [EnqueueOption] = []
        if let priority = Priority(priority) { options.append(.priority(priority)) }
        if let delay { options.append(.delayed(by: delay)) }
        if let at { options.append(.at(try Self.moment(at))) }
        if let unique { options.append(.unique(by: unique)) }
        if let id { options.append(.id(id)) }
        if let maxAttempts { options.append(.maxAttempts(maxAttempts)) }
        var headers: [String: String] = [:]
        for header in header {
            guard let equals = header.firstIndex(of: "="), equals != header.startIndex else {
                throw ValidationError(
                    "'\(header.prefix(60).shown)' is not a header: write --header name=value."
                )
            }
            headers[String(header[..<equals])] = String(header[header.index(after: equals)...])
        }
        if !headers.isEmpty { options.append(.headers(headers)) }
        return options
    }

    static func moment(_ text: String) throws -> Timestamp {
        let styles = [
            Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true),
        ]
        for style in styles {
            if let date = try? Date(text, strategy: style) { return Timestamp(date) }
        }
        throw ValidationError(
            """
            '\(text.prefix(60).shown)' is not a moment in ISO 8601: write \
            2026-01-31T08:00:00Z or 2026-01-31T09:00:00+01:00.
            """)
    }

    /// JSON where the bytes parse as JSON.
    static func contentType(of payload: [UInt8]) -> ContentType {
        guard !payload.isEmpty else { return .bytes }
        let isJSON =
            (try? JSONSerialization.jsonObject(with: Data(payload), options: .fragmentsAllowed))
            != nil
        return isJSON ? .json : .bytes
    }
}
