// SPDX-License-Identifier: Apache-2.0
import Godwit

extension Inspector {
    /// Since when the oldest ready message of a queue waits, by its kinds; where these do not say, the
    /// next one to be served is a good guess.
    func oldestReady(
        of kinds: [KindCount], in queue: QueueName
    ) async throws(BrokerError) -> Timestamp? {
        if let oldest = kinds.compactMap(\.oldestReadyAt).min() { return oldest }
        return try await messages(.ready, in: queue, after: nil, limit: 1)
            .messages.first?.entry.readyAt
    }
}

extension QueueCounts {
    /// What ended, since the queue was first used.
    var ended: Int { completed + rejected + forwarded + cancelled }
}
