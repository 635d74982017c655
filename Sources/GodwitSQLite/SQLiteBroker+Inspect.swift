// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Reads on a connection of their own; none of them scans.
extension SQLiteBroker: Inspector {
    public func queues() async throws(BrokerError) -> [QueueName] {
        try await reader.read("list queues") { try $0.queueNames() }
    }

    public func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts {
        try await reader.read("count '\(queue)'") { db in
            try db.queueState(queue)?.counts ?? QueueCounts()
        }
    }

    public func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? {
        try await reader.read("look up \(id) in '\(queue)'") { db in
            guard let number = try db.queueState(queue)?.number else { return nil }
            return try db.record(of: Key(id), number)
        }
    }

    public func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] {
        try await reader.read("count the kinds of '\(queue)'") { db in
            try db.queueState(queue).map { try db.kindCounts(of: $0) } ?? []
        }
    }

    public func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        try await reader.read("find \(id)") { try $0.find(id) }
    }

    public func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage {
        let limit = max(1, min(limit, 1000))
        return try await reader.read("list '\(queue)'") { db in
            guard let number = try db.queueState(queue)?.number else {
                return MessagePage(messages: [])
            }
            return try db.page(of: state, number, after: cursor, limit)
        }
    }

    public func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        try await reader.read("check '\(queue)'") { db in
            try db.complaints(about: queue, limit: limit)
                + db.complaints(aboutStream: queue, limit: limit)
        }
    }
}

extension QueueState {
    var counts: QueueCounts {
        var counts = QueueCounts()
        counts.ready = Int(ready)
        counts.scheduled = Int(scheduled)
        counts.leased = Int(leased)
        counts.dead = Int(dead)
        counts.suspects = Int(suspects)
        counts.isPaused = paused != 0
        counts.enqueued = Int(enqueued)
        counts.completed = Int(completed)
        counts.retried = Int(retried)
        counts.released = Int(released)
        counts.rejected = Int(rejected)
        counts.forwarded = Int(forwarded)
        counts.cancelled = Int(cancelled)
        counts.lost = Int(lost)
        counts.redriven = Int(redriven)
        counts.pruned = Int(pruned)
        return counts
    }
}
