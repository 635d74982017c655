// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Up to `limit` events' worth of calls after `position`, oldest first.
    package func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) -> [EventBatch] {
        numbers[queue].map { books[$0].log.batches(after: position, limit: limit) } ?? []
    }

    package mutating func markArchived(through position: EventPosition, in queue: QueueName) {
        books[open(queue)].log.markArchived(through: position)
    }

    package func backlog(of queue: QueueName) -> EventBacklog {
        numbers[queue].map { books[$0].log.backlog } ?? EventBacklog(waiting: 0)
    }
}

extension Book {
    /// What one call did becomes one entry of the log.
    mutating func record(_ events: [Event]) {
        guard settings.recordsEvents, !events.isEmpty else { return }
        log.append(events)
    }

    /// The event log of one queue: bounded, oldest dropped first.
    struct Log: Sendable {
        /// More wait for nobody: the history then has a gap, work goes on (I10).
        static let limit = 1 << 19

        struct Call: Sendable {
            var number: UInt64
            var events: [Event]
        }

        private var calls = Ring<Call>()
        private var eventCount = 0
        private var lastNumber: UInt64 = 0
        private var archived: UInt64?
        private(set) var dropped = 0

        mutating func append(_ events: [Event]) {
            lastNumber += 1
            calls.append(Call(number: lastNumber, events: events))
            eventCount += events.count
            while eventCount > Self.limit, let oldest = calls.popFirst() {
                eventCount -= oldest.events.count
                if oldest.number > archived ?? 0 { dropped += oldest.events.count }
            }
        }

        func batches(after position: EventPosition?, limit: Int) -> [EventBatch] {
            let after = position.flatMap { UInt64($0.text) } ?? 0
            let start = calls.partition { $0.number <= after }
            var batches: [EventBatch] = []
            var place = start
            while batches.count < limit, let call = calls[place] {
                batches.append(
                    EventBatch(position: EventPosition("\(call.number)"), events: call.events))
                place += 1
            }
            return batches
        }

        var backlog: EventBacklog {
            let start = calls.partition { $0.number <= archived ?? 0 }
            return EventBacklog(
                waiting: min(EventBacklog.mostCounted, calls.count - start),
                oldestAt: calls[start]?.events.first?.at, dropped: dropped,
                archived: archived.map { EventPosition("\($0)") })
        }

        mutating func markArchived(through position: EventPosition) {
            guard let number = UInt64(position.text) else { return }
            archived = max(archived ?? 0, min(number, lastNumber))
        }

        /// Drops up to 64 calls that an archiver has; where none was ever seen, those before `cut`.
        mutating func drop(olderThan cut: Int64) {
            for _ in 0..<Ledger.upkeepLimit {
                guard let oldest = calls.first else { return }
                let isDone =
                    archived.map { oldest.number <= $0 }
                    ?? ((oldest.events.first?.at.milliseconds ?? .min) <= cut)
                guard isDone else { return }
                _ = calls.popFirst()
                eventCount -= oldest.events.count
            }
        }
    }
}
