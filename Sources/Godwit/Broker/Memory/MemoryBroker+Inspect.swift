// SPDX-License-Identifier: Apache-2.0

extension MemoryBroker: Inspector {
    public func queues() async throws(BrokerError) -> [QueueName] {
        try locked("list queues") { $0.ledger.queues() }
    }

    public func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts {
        try locked("count '\(queue)'") { $0.ledger.counts(of: queue) }
    }

    public func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? {
        // Doubly optional: a message that is not there is an answer, a broker shut down is none.
        try locked("look up \(id) in '\(queue)'") { [$0.ledger.message(id, in: queue)] }[0]
    }

    public func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] {
        try locked("count the kinds of '\(queue)'") { $0.ledger.kinds(of: queue) }
    }

    public func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        try locked("find \(id)") { [$0.ledger.find(id)] }[0]
    }

    public func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage {
        try locked("list '\(queue)'") {
            $0.ledger.messages(state, in: queue, after: cursor, limit: limit)
        }
    }

    public func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        try locked("check '\(queue)'") { $0.ledger.check(queue, limit: limit) }
    }
}

extension MemoryBroker: EventLog {
    public func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch] {
        try locked("read the events of '\(queue)'") {
            $0.ledger.events(in: queue, after: position, limit: limit)
        }
    }

    public func markArchived(
        through position: EventPosition, in queue: QueueName
    ) async throws(BrokerError) {
        try locked("mark the events of '\(queue)' archived") {
            $0.ledger.markArchived(through: position, in: queue)
        }
    }

    public func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        try locked("measure the events of '\(queue)'") { $0.ledger.backlog(of: queue) }
    }
}
