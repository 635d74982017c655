// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The event log of a queue: one row per commit, at `queue << 40 | sequence`.
extension Store {
    static func eventPlace(_ queue: Int64, _ sequence: Int64) -> Int64 { queue << 40 | sequence }

    static func eventSequence(_ place: Int64) -> Int64 { place & (1 << 40 - 1) }

    /// Writes what this transaction did, and drops what waits for nobody.
    func writeMoves(_ queue: inout QueueState) throws(StoreFault) {
        guard !queue.moves.isEmpty else { return }
        queue.eventTail += 1
        queue.eventBytes += Int64(queue.moves.count)
        sql.insertEvent.bind(1, Self.eventPlace(queue.number, queue.eventTail))
        sql.insertEvent.bind(2, now)
        let result = queue.moves.withUnsafeBytes { bytes -> Result<Void, StoreFault> in
            sql.insertEvent.bind(3, pinned: bytes)
            return Result { () throws(StoreFault) in try sql.insertEvent.run() }
        }
        try result.get()
        queue.moves.removeAll(keepingCapacity: true)
        try dropEvents(Upkeep.eventRowsPerCommit, &queue)
    }

    /// Drops up to `limit` of the oldest rows: archived ones, where nobody archives those that are
    /// too old, and whatever is over the cap; only that is counted as dropped (I10).
    func dropEvents(_ limit: Int, _ queue: inout QueueState) throws(StoreFault) {
        var old: [(sequence: Int64, bytes: Int64)] = []
        var left = queue.eventBytes
        let cut = now - queue.settings.keepMilliseconds
        sql.oldEvents.bind(1, Self.eventPlace(queue.number, queue.eventHead))
        sql.oldEvents.bind(2, Self.eventPlace(queue.number, queue.eventTail))
        sql.oldEvents.bind(3, limit)
        while try sql.oldEvents.step() {
            let sequence = Self.eventSequence(sql.oldEvents.int(0))
            let isDone =
                queue.eventArchived >= 0
                ? sequence <= queue.eventArchived : sql.oldEvents.int(1) <= cut
            let bytes = sql.oldEvents.int(2)
            if !isDone {
                guard left > Upkeep.eventBytes else { break }
                queue.eventsDropped += bytes / Int64(LeaseToken.size + 2)
            }
            left -= bytes
            old.append((sequence, bytes))
        }
        sql.oldEvents.reset()
        for row in old {
            sql.deleteEvent.bind(1, Self.eventPlace(queue.number, row.sequence))
            try sql.deleteEvent.run()
            queue.eventHead = row.sequence + 1
        }
        queue.eventBytes = left
    }

    /// All up to `sequence` is safe elsewhere; never goes back.
    func markArchived(_ sequence: Int64, in name: QueueName) throws(StoreFault) {
        var queue = try open(name)
        queue.eventArchived = max(queue.eventArchived, min(sequence, queue.eventTail))
        put(queue)
    }
}
