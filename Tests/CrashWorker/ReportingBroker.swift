// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A broker that says what it is asked for a worker and what the store answers.
///
/// When a renewal says that a lease is lost, it also does what a careful worker never does: it
/// settles that run all the same. The store has to refuse it (I3).
final class ReportingBroker: Broker {
    private let broker: any Broker
    private let defect: Defect?

    init(_ broker: any Broker, defect: Defect?) {
        self.broker = broker
        self.defect = defect
    }

    var limits: BrokerLimits { broker.limits }
    var time: any TimeSource { broker.time }
    var clockOffset: Duration { broker.clockOffset }
    var isShutDown: Bool { broker.isShutDown }
    var `operator`: any Operator { broker.operator }
    var inspector: any Inspector { broker.inspector }
    var eventLog: any EventLog { broker.eventLog }
    var board: any Board { broker.board }

    // MARK: What is reported

    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        let reservation = try await broker.reserve(request, from: queue)
        await took(reservation, from: queue)
        return reservation
    }

    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        let outcomes = try await broker.settle(settlements, in: queue)
        tell(settlements, outcomes)
        return outcomes
    }

    func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        let both = await broker.settle(settlements, thenReserve: request, from: queue)
        if case .success(let outcomes) = both.settled { tell(settlements, outcomes) }
        if case .success(let reservation) = both.reserved { await took(reservation, from: queue) }
        return both
    }

    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        broker.renew(tokens, for: lease, in: queue) { [broker] result in
            if case .success(let outcomes) = result {
                let lost = zip(tokens, outcomes).filter { $0.1 == .stale }.map(\.0)
                if !lost.isEmpty {
                    Report.write(lost.map { .leaseLost(Run($0)) })
                    // Why a task: this callback has no other way to wait for an answer.
                    Task { await Self.settleLate(lost, in: queue, on: broker) }
                }
            }
            then(result)
        }
    }

    private static func settleLate(
        _ tokens: [LeaseToken], in queue: QueueName, on broker: any Broker
    ) async {
        let settlements = tokens.map { token in
            Settlement(token, token.id.low % 2 == 0 ? .ack : .retry(after: .zero, reason: "late"))
        }
        guard let outcomes = try? await broker.settle(settlements, in: queue) else { return }
        Report.write(
            zip(settlements, outcomes).map {
                .lateSettle(Run($0.token), $0.verdict.settling, $1.answer)
            })
    }

    private func took(_ reservation: Reservation, from queue: QueueName) async {
        let tokens = reservation.messages.map(\.token)
        if tokens.isEmpty { return }
        if defect == .earlyAck {
            _ = try? await broker.settle(tokens.map { Settlement($0, .ack) }, in: queue)
        }
        Report.write(
            tokens.map { token in
                let entry = token.entry
                return .reserve(Run(token), attempt: Int(entry.attempt), lost: Int(entry.lost))
            })
    }

    private func tell(_ settlements: [Settlement], _ outcomes: [SettleOutcome]) {
        Report.write(
            zip(settlements, outcomes).map {
                .settle(Run($0.token), $0.verdict.settling, $1.answer)
            })
    }

    // MARK: What is passed on

    func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try await broker.enqueue(messages, to: queue)
    }

    func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        broker.settleDetached(settlements, in: queue)
    }

    func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await broker.checkpoint(checkpoints, in: queue)
    }

    func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await broker.promote(in: queue)
    }

    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        if defect == .neverReclaims { return Reclaimed(ready: 0, dead: 0) }
        return try await broker.reclaim(limit, in: queue)
    }

    func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await broker.prune(limit, in: queue)
    }

    func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        await broker.wait(for: kinds, in: queue, upTo: timeout)
    }

    func shutdown() async { await broker.shutdown() }
}

extension Verdict {
    var settling: Report.Settling {
        switch self {
        case .ack: .ack
        case .retry: .retry
        case .reject: .reject
        case .release: .release
        case .forward: .forward
        }
    }
}

extension SettleOutcome {
    var answer: Report.Answer {
        switch self {
        case .done: .done
        case .stale: .stale
        case .targetBusy: .targetBusy
        }
    }
}
