// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// One walk over the registry of a store's queues and streams: bounded, and read only.
package struct StoreWalk: Sendable {
    struct Queue: Sendable {
        var name: QueueName
        var counts = QueueCounts()
        var oldestReadyAt: Timestamp?
        var backlog = EventBacklog(waiting: 0)
    }

    package struct Slots: Sendable, Hashable {
        package var busy = 0
        package var idle = 0
        /// Of workers that take nothing new.
        package var quiet = 0

        var all: Int { busy + idle + quiet }
    }

    static let queueLimit = 1000

    /// The store's clock.
    var at: Timestamp
    var queues: [Queue] = []
    var streams: [(name: QueueName, counts: StreamCounts)] = []
    var slots: [String: Slots] = [:]

    static func take(_ broker: any Broker) async throws -> StoreWalk {
        var walk = StoreWalk(at: broker.time.now() + broker.clockOffset)
        let names = Array(try await broker.inspector.queues().prefix(queueLimit))
        // Eight at a time, which a store behind a pipeline answers in few trips.
        walk.queues = try await withThrowingTaskGroup(of: Queue.self) { group in
            var found: [Queue] = []
            for (place, name) in names.enumerated() {
                if place >= 8, let queue = try await group.next() { found.append(queue) }
                group.addTask { try await queue(name, broker) }
            }
            for try await queue in group { found.append(queue) }
            return found.sorted { $0.name.text < $1.name.text }
        }
        if let streams = broker as? any StreamBroker {
            let inspector = streams.streamInspector
            for name in try await inspector.streams().prefix(queueLimit) {
                walk.streams.append((name, try await inspector.counts(ofStream: name)))
            }
        }
        walk.slots = slots(of: try await broker.board.notes(in: .workers))
        return walk
    }

    /// The slots of those who left a beat, by queue.
    package static func slots(of notes: [Note]) -> [String: Slots] {
        var slots: [String: Slots] = [:]
        for note in notes {
            // A note of a later version that does not decode is a worker that is not counted.
            guard let beat = WorkerBeat(note) else {
                continue
            }
            let busy = max(0, min(beat.busy, beat.slots))
            let free = max(0, beat.slots - busy)
            slots[beat.queue, default: Slots()].busy += busy
            if beat.isQuiet {
                slots[beat.queue, default: Slots()].quiet += free
            } else {
                slots[beat.queue, default: Slots()].idle += free
            }
        }
        return slots
    }

    private static func queue(
        _ name: QueueName, _ broker: any Broker
    ) async throws -> Queue {
        var queue = Queue(name: name)
        queue.counts = try await broker.inspector.counts(of: name)
        if queue.counts.ready > 0 {
            queue.oldestReadyAt = try await broker.inspector.oldestReady(
                of: broker.inspector.kinds(of: name), in: name)
        }
        queue.backlog = try await broker.eventLog.backlog(of: name)
        return queue
    }
}
