// SPDX-License-Identifier: Apache-2.0
public import Godwit

extension SQLiteBroker: Operator {
    public func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        try await inSteps(ids, "redrive in '\(queue)'") { (store, part) throws(StoreFault) in
            try store.redrive(part, in: queue)
        }
    }

    public func cancel(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await inSteps(ids, "cancel in '\(queue)'") { (store, part) throws(StoreFault) in
            try store.cancel(part, in: queue)
        }
    }

    public func promote(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await inSteps(ids, "promote in '\(queue)'") { (store, part) throws(StoreFault) in
            try store.promote(part, in: queue)
        }
    }

    public func pause(_ queue: QueueName) async throws(BrokerError) {
        try await run("pause '\(queue)'") { (store) throws(StoreFault) in
            try store.setPaused(true, queue)
        }
    }

    public func resume(_ queue: QueueName) async throws(BrokerError) {
        try await run("resume '\(queue)'") { (store) throws(StoreFault) in
            try store.setPaused(false, queue)
        }
    }

    public func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        var purged = 0
        while purged < limit {
            let step = min(limit - purged, limits.batch)
            let count = try await run("purge '\(queue)'") { (store) throws(StoreFault) in
                try store.purge(queue, limit: step)
            }
            purged += count
            if count < step { break }
        }
        return purged
    }

    public func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        try await reader.read("read the settings of '\(queue)'") { db in
            try db.queueState(queue)?.settings ?? QueueSettings()
        }
    }

    public func apply(_ settings: QueueSettings, to queue: QueueName) async throws(BrokerError) {
        try validation.check(settings, for: queue)
        try await run("apply settings to '\(queue)'") { (store) throws(StoreFault) in
            try store.apply(settings, to: queue)
        }
    }

    /// At most 64 ids a step.
    private func inSteps<Answer: Sendable>(
        _ ids: [MessageID], _ what: @autoclosure @escaping @Sendable () -> String,
        _ step: @escaping @Sendable (Store, ArraySlice<MessageID>) throws(StoreFault) -> [Answer]
    ) async throws(BrokerError) -> [Answer] {
        var answers: [Answer] = []
        var rest = ids[...]
        while !rest.isEmpty {
            let part = rest.prefix(Upkeep.limit)
            rest = rest.dropFirst(part.count)
            answers += try await run(what()) { (store) throws(StoreFault) in
                try step(store, part)
            }
        }
        return answers
    }
}

extension SQLiteBroker: EventLog {
    public func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch] {
        let after = position.flatMap { Int64($0.text) } ?? 0
        let limit = max(0, min(limit, 1000))
        return try await reader.read("read the events of '\(queue)'") { db in
            try db.events(of: queue, after: after, limit)
        }
    }

    public func markArchived(
        through position: EventPosition, in queue: QueueName
    ) async throws(BrokerError) {
        guard let sequence = Int64(position.text), sequence >= 0 else {
            throw .invalid(
                "mark the events of '\(queue)' archived",
                "'\(position.text.escapedForDisplay)' is not a position in its log",
                "Use the position of a batch that was read from it.")
        }
        try await run("mark the events of '\(queue)' archived") { (store) throws(StoreFault) in
            try store.markArchived(sequence, in: queue)
        }
    }

    public func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        try await reader.read("measure the events of '\(queue)'") { db in
            try db.queueState(queue).map { try db.backlog(of: $0) } ?? EventBacklog(waiting: 0)
        }
    }
}
