// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore

extension RemoteBroker: EventLog {
    /// Asks again where an answer was cut because of its size, so that fewer than `limit` are all.
    public func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch] {
        let what = "read the events of '\(queue)'"
        var batches: [EventBatch] = []
        var wire = Godwit_V1_EventsRequest()
        wire.queue = queue.text
        wire.after = position?.text ?? ""
        var isCut = true
        while isCut, batches.count < limit {
            wire.limit = UInt32(min(limit - batches.count, WireLimits.page))
            let request = wire
            let response = try await courier.call(what, isRead: true, request) { [store] in
                try await store.events(request: $0, options: $1)
            }
            var bytes = 0
            for batch in response.batches {
                let batch = try read(EventBatch(batch), what)
                bytes += batch.wireSize
                batches.append(batch)
            }
            wire.after = batches.last?.position.text ?? ""
            isCut =
                !response.batches.isEmpty
                && (bytes >= WireLimits.pageBytes || response.batches.count >= request.limit)
        }
        return batches
    }

    public func markArchived(
        through position: EventPosition, in queue: QueueName
    ) async throws(BrokerError) {
        var wire = Godwit_V1_MarkArchivedRequest()
        wire.queue = queue.text
        wire.through = position.text
        _ = try await courier.call("mark the events of '\(queue)' archived", wire) { [store] in
            try await store.markArchived(request: $0, options: $1)
        }
    }

    public func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        var wire = Godwit_V1_BacklogRequest()
        wire.queue = queue.text
        return EventBacklog(
            try await courier.call("measure the events of '\(queue)'", isRead: true, wire) {
                [store] in try await store.backlog(request: $0, options: $1)
            })
    }
}
