// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The operator, inspector, event log and board of a ``FaultyBroker``: each call is one `operate`,
/// `inspect`, `events` or `board` that may have a fault in line.
struct FaultyView: Operator, Inspector, EventLog, Board {
    let broker: FaultyBroker
    let inner: any Broker

    private func operate<R>(
        _ body: () async throws(BrokerError) -> R
    ) async throws(BrokerError) -> R { try await broker.perform(.operate, body) }

    private func inspect<R>(
        _ body: () async throws(BrokerError) -> R
    ) async throws(BrokerError) -> R { try await broker.perform(.inspect, body) }

    // MARK: Operator

    func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.redrive(ids, in: queue)
        }
    }

    func cancel(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool] {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.cancel(ids, in: queue)
        }
    }

    func promote(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool] {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.promote(ids, in: queue)
        }
    }

    func pause(_ queue: QueueName) async throws(BrokerError) {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.pause(queue)
        }
    }

    func resume(_ queue: QueueName) async throws(BrokerError) {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.resume(queue)
        }
    }

    func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.purge(queue, limit: limit)
        }
    }

    func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.settings(of: queue)
        }
    }

    func apply(_ settings: QueueSettings, to queue: QueueName) async throws(BrokerError) {
        try await operate { () async throws(BrokerError) in
            try await inner.operator.apply(settings, to: queue)
        }
    }

    // MARK: Inspector

    func queues() async throws(BrokerError) -> [QueueName] {
        try await inspect { () async throws(BrokerError) in try await inner.inspector.queues() }
    }

    func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.counts(of: queue)
        }
    }

    func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.message(id, in: queue)
        }
    }

    func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.kinds(of: queue)
        }
    }

    func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        try await inspect { () async throws(BrokerError) in try await inner.inspector.find(id) }
    }

    func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.messages(state, in: queue, after: cursor, limit: limit)
        }
    }

    func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.search(plan, after: cursor, budget: budget)
        }
    }

    func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        try await inspect { () async throws(BrokerError) in
            try await inner.inspector.check(queue, limit: limit)
        }
    }

    // MARK: Event log

    func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch] {
        try await broker.perform(.events) { () async throws(BrokerError) in
            try await inner.eventLog.events(in: queue, after: position, limit: limit)
        }
    }

    func markArchived(
        through position: EventPosition, in queue: QueueName
    ) async throws(BrokerError) {
        try await broker.perform(.events) { () async throws(BrokerError) in
            try await inner.eventLog.markArchived(through: position, in: queue)
        }
    }

    func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        try await broker.perform(.events) { () async throws(BrokerError) in
            try await inner.eventLog.backlog(of: queue)
        }
    }

    // MARK: Board

    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        try await broker.perform(.board) { () async throws(BrokerError) in
            try await inner.board.notes(in: folder)
        }
    }

    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note? {
        try await broker.perform(.board) { () async throws(BrokerError) in
            try await inner.board.note(name, in: folder)
        }
    }

    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try await broker.perform(.board) { () async throws(BrokerError) in
            try await inner.board.write(bytes, as: name, in: folder, for: time, if: expected)
        }
    }

    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try await broker.perform(.board) { () async throws(BrokerError) in
            try await inner.board.erase(name, in: folder, if: expected)
        }
    }
}
