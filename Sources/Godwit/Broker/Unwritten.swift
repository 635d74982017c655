// SPDX-License-Identifier: Apache-2.0
// Until every broker has its own.

extension Broker {
    public var board: any Board { NoBoard() }
}

struct NoBoard: Board {
    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] { [] }
    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note? { nil }
    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool { true }
    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool { true }
}

extension Inspector {
    public func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] { [] }

    public func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        for queue in try await queues() {
            if let record = try await message(id, in: queue) {
                return FoundMessage(queue: queue, record: record)
            }
        }
        return nil
    }
}

extension EventLog {
    public func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        EventBacklog(waiting: 0)
    }
}
