// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

extension OpenStore {
    /// Refuses a queue that was never used: a typing error would look like an empty one.
    func requireQueue(_ name: QueueName) async throws {
        let queues = try await broker.inspector.queues()
        if queues.contains(name) { return }
        let known = queues.prefix(10).map(\.text).joined(separator: ", ")
        throw Failure(
            .noInput,
            """
            there is no queue '\(name)' on \(self.name). \
            \(queues.isEmpty ? "It holds none yet" : "It holds \(known)\(queues.count > 10 ? ", …" : "")"): \
            check the name and the store; the first enqueue makes a queue.
            """)
    }

    func requireMessage(_ id: MessageID, in queue: QueueName) async throws -> MessageRecord {
        if let record = try await broker.inspector.message(id, in: queue) { return record }
        try await requireQueue(queue)
        throw unknown([id], in: queue)
    }

    func unknown(_ ids: [MessageID], in queue: QueueName) -> Failure {
        Failure(
            .noInput,
            """
            queue '\(queue)' on \(name) knows no message \(ids.map(\.description).joined(separator: ", ")). \
            It was never there, or it ended and its record is past its keeping time; check the id \
            and the queue.
            """)
    }
}

extension Timestamp {
    /// ISO 8601 with milliseconds.
    var text: String { date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }
}
