// SPDX-License-Identifier: Apache-2.0
import Godwit
import Metrics
import Synchronization

/// The way of one queue's events into the history.
struct QueueArchive {
    /// Entries of the log that are read at once; each is one call of a worker, 256 events at most.
    private static let page = 128
    static let mostInPage = page * 256
    /// Batches before other queues have their turn.
    private static let turn = 32

    let name: QueueName
    private let archiver: Archiver
    private var duty: Duty
    private(set) var isHeld = false
    private var position: EventPosition?
    private let kinds = KindCell()
    private var wait: Duration
    private var lookAt: Timestamp?
    private let lag: Gauge

    init(_ name: QueueName, _ archiver: Archiver) {
        self.name = name
        self.archiver = archiver
        duty = Duty(Self.duty(of: name), owner: archiver.owner, time: archiver.options.dutyTime)
        wait = archiver.options.shortestWait
        lag = Gauge(label: "godwit_history_lag_seconds", dimensions: [("queue", name.text)])
    }

    /// The note of the process that archives a queue.
    static func duty(of queue: QueueName) -> String { "archive/\(queue)" }

    /// Moves what waits, if it is this process's turn and duty; returns how long to wait then.
    mutating func once() async throws -> Duration {
        let now = archiver.now
        if let lookAt, now < lookAt, lookAt - now <= wait { return lookAt - now }
        let wasHeld = isHeld
        isHeld = try await duty.isHeld(on: archiver.broker.board, now: now)
        guard isHeld else {
            wait = archiver.options.longestWait
            lookAt = now + wait
            return wait
        }
        if !wasHeld {
            position = try await archiver.broker.eventLog.backlog(of: name).archived
        }
        let moved = try await move()
        wait =
            moved > 0
            ? archiver.options.shortestWait : min(wait * 2, archiver.options.longestWait)
        lookAt = archiver.now + wait
        return wait
    }

    mutating func giveUp() async {
        isHeld = false
        await duty.giveUp(on: archiver.broker.board)
    }

    /// One batch of rows and the place behind it in the log.
    private struct Batch: Sendable {
        var rows: [RunRow]
        var position: EventPosition
        var lastAt: Timestamp?
    }

    /// Reads the next batch while the one before is being kept: two are in memory at most.
    private mutating func move() async throws -> Int {
        var moved = 0
        var turns = 0
        var current = try await read(after: position)
        while let batch = current {
            turns += 1
            let isLast = turns >= Self.turn || archiver.isStopping
            let reader = self
            async let following = isLast ? nil : reader.read(after: batch.position)
            if !batch.rows.isEmpty { try await archiver.history.add(batch.rows, []) }
            // Why after: what is marked may be dropped by the store at any moment.
            try await archiver.broker.eventLog.markArchived(through: batch.position, in: name)
            position = batch.position
            moved += batch.rows.count
            if let lastAt = batch.lastAt {
                lag.record(Double(max(0, (archiver.now - lastAt).milliseconds)) / 1000)
            }
            current = try await following
        }
        if turns < Self.turn { lag.record(0) }
        return moved
    }

    private func read(after position: EventPosition?) async throws -> Batch? {
        let enough = archiver.options.rows(at: archiver.history.batchRows)
        let limit = max(1, min(Self.page, enough / 64))
        var place = position
        var batch: Batch?
        var names = kinds.names.withLock { $0 }
        var isFresh = false
        while (batch?.rows.count ?? 0) < enough {
            let page = try await archiver.broker.eventLog.events(
                in: name, after: place, limit: limit)
            guard let last = page.last else { break }
            place = last.position
            var next = batch ?? Batch(rows: [], position: last.position)
            next.position = last.position
            for entry in page {
                for event in entry.events {
                    let hash = event.token.entry.kindHash
                    if !isFresh, !names.knows(hash) {
                        // Why once a batch: a name that the store does not know stays unknown.
                        names = KindNames(try await archiver.broker.inspector.kinds(of: name))
                        isFresh = true
                        kinds.names.withLock { [names] in $0 = names }
                    }
                    if let row = RunRow(event, in: name, kinds: names) { next.rows.append(row) }
                    next.lastAt = event.at
                }
            }
            batch = next
            if page.count < limit { break }
        }
        return batch
    }
}

/// The names as they were read last.
private final class KindCell: Sendable {
    let names = Mutex(KindNames())
}
