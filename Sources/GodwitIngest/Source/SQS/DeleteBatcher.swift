// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// Decides which deletes go to SQS together, and when: ten at once, or what is there when the oldest
/// has waited long enough. A value; whoever holds it sends.
package struct DeleteBatcher: Sendable {
    package struct Entry: Sendable, Hashable {
        /// The message, as the holder counts it.
        package var number: UInt64
        package var receipt: String

        package init(number: UInt64, receipt: String) {
            self.number = number
            self.receipt = receipt
        }
    }

    private let size: Int
    private let delay: Duration
    private var waiting: [(entry: Entry, since: Timestamp)] = []
    private var failures = 0
    private var pausedUntil: Timestamp?

    package init(size: Int = 10, delay: Duration = .milliseconds(50)) {
        self.size = max(1, size)
        self.delay = delay
    }

    package var isEmpty: Bool { waiting.isEmpty }
    package var count: Int { waiting.count }

    package mutating func add(_ entry: Entry, at now: Timestamp) { waiting.append((entry, now)) }

    /// The next batch, taken out; nil when it is better to wait until ``nextDue``.
    package mutating func next(at now: Timestamp, isFlushing: Bool) -> [Entry]? {
        guard let oldest = waiting.first else { return nil }
        if let pausedUntil, now < pausedUntil { return nil }
        guard isFlushing || waiting.count >= size || oldest.since + delay <= now else { return nil }
        let batch = waiting.prefix(size).map(\.entry)
        waiting.removeFirst(batch.count)
        return batch
    }

    /// When ``next(at:isFlushing:)`` will have something; nil while there is nothing.
    package var nextDue: Timestamp? {
        guard let oldest = waiting.first else { return nil }
        let due = oldest.since + delay
        return pausedUntil.map { max($0, due) } ?? due
    }

    package mutating func succeeded() {
        failures = 0
        pausedUntil = nil
    }

    /// These are to be sent again, first of all, and not at once: longer after each failure in a row.
    package mutating func failed(_ entries: [Entry], at now: Timestamp) {
        waiting.insert(contentsOf: entries.map { ($0, now) }, at: 0)
        pausedUntil = now + .milliseconds(min(5000, 50 << min(failures, 7)))
        failures += 1
    }

    /// Takes out what need not be sent any more.
    package mutating func remove(_ numbers: Set<UInt64>) {
        waiting.removeAll { numbers.contains($0.entry.number) }
    }

    package mutating func takeAll() -> [Entry] {
        defer { waiting = [] }
        return waiting.map(\.entry)
    }
}
