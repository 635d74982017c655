// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// A broker that does as another one does, but for the words that it writes itself.
///
/// A new word of the seam is passed on here, once for all doubles. A settle with a reserve is not: it is
/// the two words one after the other, so that a double which changes one of them changes it there too.
package protocol WrappingBroker: Broker {
    var wrapped: any Broker { get }
}

extension WrappingBroker {
    package var limits: BrokerLimits { wrapped.limits }
    package var time: any TimeSource { wrapped.time }
    package var clockOffset: Duration { wrapped.clockOffset }
    package var isShutDown: Bool { wrapped.isShutDown }
    package var `operator`: any Operator { wrapped.operator }
    package var inspector: any Inspector { wrapped.inspector }
    package var eventLog: any EventLog { wrapped.eventLog }
    package var board: any Board { wrapped.board }

    package func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try await wrapped.enqueue(messages, to: queue)
    }

    package func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try await wrapped.reserve(request, from: queue)
    }

    package func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await wrapped.settle(settlements, in: queue)
    }

    package func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        wrapped.settleDetached(settlements, in: queue)
    }

    package func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        wrapped.renew(tokens, for: lease, in: queue, then: then)
    }

    package func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await wrapped.checkpoint(checkpoints, in: queue)
    }

    @discardableResult
    package func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await wrapped.promote(in: queue)
    }

    @discardableResult
    package func reclaim(
        _ limit: Int, in queue: QueueName
    ) async throws(BrokerError) -> Reclaimed {
        try await wrapped.reclaim(limit, in: queue)
    }

    @discardableResult
    package func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await wrapped.prune(limit, in: queue)
    }

    package func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        await wrapped.wait(for: kinds, in: queue, upTo: timeout)
    }

    package func shutdown() async { await wrapped.shutdown() }
}
