// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension JobCommands {
    /// Follows what ends in queues, from their event logs.
    struct Tail: AsyncParsableCommand {
        /// Between two looks.
        private static let pause = Duration.milliseconds(250)
        /// The most that a store is asked for at once.
        private static let page = 100

        static let configuration = CommandConfiguration(
            abstract: "Follow the moves of a queue: acks, retries, rejects, lost leases, cancels.",
            discussion: """
                Prints the last --last moves and then what comes, until Ctrl-C, --for or --limit. \
                With -o json it needs --for or --limit, because JSON ends; jsonl does not.
                """)
        @Argument(help: "The queue; all of them when left out.", transform: StoreOptions.queue)
        var queue: QueueName?
        @Option(help: "How many moves from before to show.") var last: Int = 10
        @Option(
            name: .customLong("for"), help: "End after this long.",
            transform: StoreOptions.duration)
        var time: Duration?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard (0...StoreOptions.mostItems).contains(last) else {
                throw ValidationError("--last is 0 to \(StoreOptions.mostItems), not \(last).")
            }
            if store.format == .json, time == nil, store.limit == nil {
                throw ValidationError(
                    "-o json needs --for or --limit here: it prints one value at the end. -o jsonl prints as it comes."
                )
            }
        }

        func run() async throws {
            let output = try store.output(EventRow.self)
            let limit = store.limit ?? .max
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                Talk.say(
                    "following \(queue?.text ?? "every queue") on \(open.name); Ctrl-C ends it")
                var places: [QueueName: EventPosition] = [:]
                var kinds: [UInt32: String] = [:]
                var held: [EventRow] = []
                var shown = 0
                let end = time.map { ContinuousClock.now + $0 }
                var isFirst = true
                while true {
                    var queues = queue.map { [$0] } ?? []
                    if queue == nil { queues = try await open.broker.inspector.queues() }
                    var fresh: [EventRow] = []
                    var isBehind = false
                    var older = 0
                    for queue in queues {
                        let look = try await Self.look(
                            at: queue, &places, last: isFirst ? last : nil, open)
                        let events = look.events
                        isBehind = isBehind || look.isBehind
                        older += look.older
                        if events.contains(where: { kinds[$0.token.entry.kindHash] == nil }) {
                            for kind in try await open.broker.inspector.kinds(of: queue) {
                                kinds[kind.hash] = kind.kind
                            }
                        }
                        fresh += events.map {
                            EventRow(
                                queue: queue.text, kind: kinds[$0.token.entry.kindHash], event: $0)
                        }
                    }
                    fresh.sort { $0.event.at < $1.event.at }
                    if isFirst {
                        older += max(0, fresh.count - last)
                        fresh = Array(fresh.suffix(last))
                        if older > 0 {
                            Talk.say(
                                "\(older) older move(s) are not shown: --last shows more of them")
                        }
                    }
                    fresh = Array(fresh.prefix(limit - shown))
                    shown += fresh.count
                    if store.format == .json {
                        held += fresh
                    } else {
                        try output.stream(fresh, isFirst: isFirst)
                    }
                    isFirst = false
                    if shown >= limit { break }
                    let left = end.map { $0 - .now } ?? Self.pause
                    if left <= .zero { break }
                    if !isBehind { try await Task.sleep(for: min(left, Self.pause)) }
                }
                if store.format == .json { try output.list(held) }
            }
        }

        private struct Look {
            var events: [Event] = []
            /// Those that were passed over.
            var older = 0
            /// There is more already: the next look begins where this one ended.
            var isBehind = false
        }

        /// What is new behind `places`, at most about 10,000 moves; the rest is for the next look.
        ///
        /// With `last`, the first look: reads on to the end of the log and keeps only so many, because
        /// what is printed behind them must be what comes now.
        private static func look(
            at queue: QueueName, _ places: inout [QueueName: EventPosition], last: Int?,
            _ open: OpenStore
        ) async throws -> Look {
            var look = Look()
            // Why a moment: a log that grows faster than it is read has no end.
            let start = open.now
            while true {
                let batches = try await open.broker.eventLog.events(
                    in: queue, after: places[queue], limit: page)
                if let end = batches.last { places[queue] = end.position }
                look.events += batches.flatMap(\.events)
                if let last, look.events.count > last {
                    look.older += look.events.count - last
                    look.events.removeFirst(look.events.count - last)
                }
                if batches.count < page { return look }
                let isNow = batches.last?.events.last.map { $0.at >= start } ?? false
                if last == nil ? look.events.count >= StoreOptions.mostItems : isNow {
                    look.isBehind = true
                    return look
                }
            }
        }
    }

    /// Waits until a message has come to a state.
    struct Wait: AsyncParsableCommand {
        private static let pause = Duration.milliseconds(250)

        static let configuration = CommandConfiguration(
            abstract: "Wait until a message has ended, or stands where you want it.",
            discussion: """
                Exits with 0 when it does, 1 when it ended otherwise, 75 after --timeout.
                """)
        @Argument(help: ArgumentHelp("[QUEUE] ID", valueName: "id")) var words: [String]
        @Option(help: "The state to wait for.") var state: MessageState = .completed
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard try Targets(words).ids.count == 1 else {
                throw ValidationError("give one id, and before it a queue if you like.")
            }
        }

        func run() async throws {
            let output = try store.output(MovedRow.self)
            let targets = try Targets(words)
            let id = targets.ids[0]
            let end = store.deadline.map { ContinuousClock.now + $0 }
            // Why another hour: here the time is the condition's, and has a code of its own.
            try await store.withStore(deadline: store.deadline.map { $0 + .seconds(3600) }) {
                open in
                var last = try await open.requireMessage(id, in: targets.queue)
                while true {
                    let now = last.record.state
                    let row = MovedRow(
                        id: "\(id)", queue: last.queue.text, outcome: now.rawValue)
                    if now == state { return try output.one(row) }
                    if now.hasEnded || now == .dead {
                        try output.one(row)
                        throw Failure(
                            .failed,
                            """
                            message \(id) is \(now.rawValue), not \(state.rawValue)\
                            \(last.record.reason.map { ": \($0.prefix(200))" } ?? ""). \
                            `godwit job show \(id)` shows all of it.
                            """)
                    }
                    if let end, .now >= end {
                        try output.one(row)
                        throw Failure(
                            .temporary,
                            """
                            message \(id) is still \(now.rawValue) after \
                            \(store.deadline?.brief ?? ""). Wait longer, or see `godwit job show \(id)`.
                            """)
                    }
                    try await Task.sleep(for: min(Self.pause, end.map { $0 - .now } ?? Self.pause))
                    // A record that is gone has ended: the last one seen says no more.
                    guard let next = try await open.find(id, in: targets.queue) else {
                        throw Failure(
                            .failed,
                            "message \(id) is gone: it ended and its record with it. `godwit history runs --id \(id)` may know how."
                        )
                    }
                    last = next
                }
            }
        }
    }
}

/// One move of one message.
struct EventRow: Row {
    static let schema = "godwit.event/1"
    static let columns: [Column<EventRow>] = [
        .time("at", "when, by the store's clock") { $0.event.at },
        .text("queue", "where") { $0.queue },
        .text("move", Event.Move.allCases.map(\.rawValue).joined(separator: ", ")) {
            $0.event.move.rawValue
        },
        .text("id", "the message") { "\($0.event.token.id)" },
        .text("kind", "its kind") { $0.kind },
        .int("attempt", "reported failures before") { Int($0.event.token.entry.attempt) },
        .text("text", "the reason, or the queue it was forwarded to") { $0.event.text },
    ]
    let queue: String
    let kind: String?
    let event: Event
}
