// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

/// A broker that says what it is asked for a worker and what the store answers.
///
/// When a renewal says that a lease is lost, it also does what a careful worker never does: it
/// settles that run all the same. The store has to refuse it (I3).
final class ReportingBroker: WrappingBroker {
    let wrapped: any Broker
    private let defect: Defect?

    init(_ broker: any Broker, defect: Defect?) {
        wrapped = broker
        self.defect = defect
    }

    // MARK: What is reported

    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        let reservation = try await wrapped.reserve(request, from: queue)
        await took(reservation, from: queue)
        return reservation
    }

    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        let outcomes = try await wrapped.settle(settlements, in: queue)
        tell(settlements, outcomes)
        return outcomes
    }

    func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        let both = await wrapped.settle(settlements, thenReserve: request, from: queue)
        if case .success(let outcomes) = both.settled { tell(settlements, outcomes) }
        if case .success(let reservation) = both.reserved { await took(reservation, from: queue) }
        return both
    }

    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        wrapped.renew(tokens, for: lease, in: queue) { [wrapped] result in
            if case .success(let outcomes) = result {
                let lost = zip(tokens, outcomes).filter { $0.1 == .stale }.map(\.0)
                if !lost.isEmpty {
                    Report.write(lost.map { .leaseLost(Run($0)) })
                    // Why a task: this callback has no other way to wait for an answer.
                    Task { await Self.settleLate(lost, in: queue, on: wrapped) }
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
            _ = try? await wrapped.settle(tokens.map { Settlement($0, .ack) }, in: queue)
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

    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        if defect == .neverReclaims { return Reclaimed(ready: 0, dead: 0) }
        return try await wrapped.reclaim(limit, in: queue)
    }
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
