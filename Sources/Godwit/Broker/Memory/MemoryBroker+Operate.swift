// SPDX-License-Identifier: Apache-2.0

extension MemoryBroker: Operator {
    public func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        try run("redrive in '\(queue)'", queue) { $0.redrive(ids, in: queue, now: $1) }
    }

    public func cancel(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try run("cancel in '\(queue)'", queue) { $0.cancel(ids, in: queue, now: $1) }
    }

    public func promote(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try run("promote in '\(queue)'", queue) { $0.promote(ids, in: queue, now: $1) }
    }

    public func pause(_ queue: QueueName) async throws(BrokerError) {
        try run("pause '\(queue)'", queue) { ledger, _ in ledger.pause(queue) }
    }

    public func resume(_ queue: QueueName) async throws(BrokerError) {
        try run("resume '\(queue)'", queue) { ledger, _ in ledger.resume(queue) }
    }

    public func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        try run("purge '\(queue)'", queue) { $0.purge(queue, limit: limit, now: $1) }
    }

    public func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        try locked("read the settings of '\(queue)'") { $0.ledger.settings(of: queue) }
    }

    public func apply(
        _ settings: QueueSettings, to queue: QueueName
    ) async throws(BrokerError) {
        try validation.check(settings, for: queue)
        try run("apply settings to '\(queue)'", queue) { ledger, _ in
            ledger.apply(settings, to: queue)
        }
    }
}
