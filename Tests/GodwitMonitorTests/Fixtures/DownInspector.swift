// SPDX-License-Identifier: Apache-2.0
import Godwit

/// An inspector of a store that does not answer.
struct DownInspector: Inspector {
    private var error: BrokerError {
        .unavailable(
            .init(
                what: "read", location: "the store", cause: "the store is down",
                advice: "Start it."))
    }

    func queues() async throws(BrokerError) -> [QueueName] { throw error }
    func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts { throw error }
    func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? { throw error }
    func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] { throw error }
    func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? { throw error }
    func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage { throw error }
    func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage { throw error }
    func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] { throw error }
}
