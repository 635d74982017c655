// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

extension JobCommands {
    /// A message with another body, as a new message.
    struct Edit: AsyncParsableCommand {
        /// The header that names the message it was made from.
        static let origin = "godwit-edited-from"

        static let configuration = CommandConfiguration(
            abstract: "Enqueue a message again with another payload, and cancel the old one.",
            discussion: """
                The new payload is an argument, a --file, or stdin with -. Kind, headers, priority, \
                attempts and due time are kept; the header \(Edit.origin) names the old message, \
                which is cancelled only when the new one is accepted. What runs can't be edited.
                """)
        @Argument(help: ArgumentHelp("[QUEUE] ID", valueName: "id")) var words: [String]
        @Option(help: "The new payload; - reads it from stdin.") var payload: String?
        @Option(help: "A file with the new payload.") var file: String?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard try Targets(words).ids.count == 1 else {
                throw ValidationError("give one id, and before it a queue if you like.")
            }
            guard (payload == nil) != (file == nil) else {
                throw ValidationError("give the new payload with --payload or --file: one of both.")
            }
        }

        func run() async throws {
            let output = try store.output(EditedRow.self)
            let targets = try Targets(words)
            let id = targets.ids[0]
            let bytes = try newPayload()
            try await store.withStore { open in
                let old = try await open.requireMessage(id, in: targets.queue)
                try Self.check(old)
                let (kind, headers) = try Self.parts(of: old)
                if store.isDry {
                    try output.one(EditedRow(old: "\(id)", new: nil, outcome: "would be edited"))
                    return Talk.say("nothing was done")
                }
                var options: [EnqueueOption] = [
                    .priority(old.record.entry.priority), .headers(headers),
                ]
                if old.record.entry.maxAttempts != 255 {
                    options.append(.maxAttempts(Int(old.record.entry.maxAttempts)))
                }
                if old.record.state == .scheduled, let due = old.record.dueAt {
                    options.append(.at(due))
                }
                if let key = old.record.uniqueKey { options.append(.unique(by: key)) }
                let accepted = try await Queue(old.queue, on: open.broker).enqueue(
                    kind: try StoreOptions.kind(kind), payloads: [bytes],
                    as: Enqueue.contentType(of: bytes), options)
                guard let new = accepted.first, new.isNew else {
                    throw Failure(
                        .exists,
                        "the unique key of \(id) belongs to \(accepted.first.map { "\($0.id)" } ?? "another message"), which is live. Nothing was done."
                    )
                }
                let ended =
                    try await open.broker.operator.cancel([id], in: old.queue).first ?? false
                await open.audit("job edit", old.queue.text, "\(id) \(new.id)", affected: 1)
                try output.one(
                    EditedRow(
                        old: "\(id)", new: "\(new.id)",
                        outcome: ended ? "old one cancelled" : "old one not cancelled"))
                guard ended else {
                    throw Failure(
                        .failed,
                        """
                        \(new.id) was enqueued, but \(id) could not be cancelled any more: it may \
                        run too. `godwit job show \(id)` says where it stands; \
                        `godwit job cancel \(new.id)` takes the new one back.
                        """)
                }
                Talk.say(
                    "see it with `godwit job show \(new.id)`; its header \(Self.origin) names the old one"
                )
            }
        }

        /// - Throws: `temporary` for one that runs, `failed` for one that has ended, `exists` for one
        ///   whose unique key would be in its own way.
        private static func check(_ old: FoundMessage) throws {
            let record = old.record
            switch record.state {
            case .ready, .scheduled, .dead: break
            case .leased:
                throw Failure(
                    .temporary,
                    "message \(record.id) is leased: its worker has the old payload already. Wait until it has ended, or cancel it first."
                )
            default:
                throw Failure(
                    .failed,
                    "message \(record.id) is \(record.state.rawValue): nothing runs it any more. Enqueue a new one with `godwit enqueue`."
                )
            }
            if let key = record.uniqueKey, record.state != .dead {
                throw Failure(
                    .exists,
                    """
                    message \(record.id) holds the unique key '\(key)' while it is live, so its \
                    successor would be refused. Nothing was done. Cancel it first with \
                    `godwit job cancel \(record.id)`, then enqueue the new one with --unique.
                    """)
            }
        }

        private static func parts(of old: FoundMessage) throws -> (String, [String: String]) {
            guard let body = old.record.body, let envelope = try? Envelope(body) else {
                throw Failure(
                    .data,
                    "the body of message \(old.record.id) can't be read as a message, so its kind and headers are unknown. Enqueue a new one with `godwit enqueue`."
                )
            }
            var headers = envelope.headers
            headers[origin] = "\(old.record.id)"
            return (envelope.kind, headers)
        }

        private func newPayload() throws -> [UInt8] {
            if let payload, payload != "-" { return Array(payload.utf8) }
            var source = try LineSource(file ?? "-")
            return try source.all(limit: BrokerLimits.hardMessageBytes + 1)
        }
    }
}

struct EditedRow: Row {
    static let schema = "godwit.edit/1"
    static let columns: [Column<EditedRow>] = [
        .text("old", "the message it was made from") { $0.old },
        .text("new", "the message with the new payload") { $0.new },
        .text("outcome", "what became of the old one") { $0.outcome },
    ]
    let old: String
    let new: String?
    let outcome: String
}
