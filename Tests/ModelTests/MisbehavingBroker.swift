// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization

/// A memory broker with one planted defect, to see that the model sees it.
final class MisbehavingBroker: WrappingBroker {
    private struct State {
        /// The last token of each message.
        var current: [MessageID: LeaseToken] = [:]
        /// What the caller was given for a token that was altered on its way out.
        var originals: [LeaseToken: LeaseToken] = [:]
        var keys: [MessageID: String] = [:]
        var leakedKeys: [String: MessageID] = [:]
        var redriven: Set<MessageID> = []
    }

    private let defect: Defect
    private let broker: MemoryBroker
    var wrapped: any Broker { broker }
    private let state = Mutex(State())

    init(_ defect: Defect, _ broker: MemoryBroker) {
        self.defect = defect
        self.broker = broker
    }

    var `operator`: any Operator { self }

    // MARK: In and out

    func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        var list = messages
        if defect == .startsEarly {
            for place in list.indices {
                if case .after(let delay) = list[place].due { list[place].due = .after(delay / 2) }
            }
        }
        if defect == .uniqueKeyLeakedOnDead {
            let leaked = state.withLock { state in
                for message in messages { state.keys[message.id] = message.uniqueKey }
                return state.leakedKeys
            }
            // Why: only a batch of new messages that all meet a leaked key is refused; it is enough.
            let owners = messages.filter { !$0.isResend }
                .compactMap { $0.uniqueKey.flatMap { leaked["\(queue) \($0)"] } }
            if owners.count == messages.count { return owners.map { .duplicate(of: $0) } }
        }
        let outcomes = try await broker.enqueue(list, to: queue)
        guard defect == .resendAnsweredAsNew else { return outcomes }
        return outcomes.map { $0 == .known ? .enqueued : $0 }
    }

    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        var request = request
        switch defect {
        case .kindsIgnored: request.kinds = nil
        case .suspectInCompany: request.takesSuspects = true
        case .oneAttemptPrefetched: request.freeSlots = nil
        case .byteBudgetIgnored: request.bytes = .max
        case .pauseIgnored: try await broker.resume(queue)
        case .promoteLosesOne: try await loseDue(in: queue)
        default: break
        }
        var reservation = try await broker.reserve(request, from: queue)
        if defect == .orderSwapped, reservation.messages.count > 1 {
            reservation.messages.swapAt(0, 1)
        }
        state.withLock { state in
            for place in reservation.messages.indices {
                let token = reservation.messages[place].token
                let id = token.id
                state.current[id] = token
                if defect == .redriveLosesBody, state.redriven.contains(id) {
                    reservation.messages[place].body = []
                }
                guard defect == .countNotRaised || defect == .retryForgetsAttempt else { continue }
                var entry = token.entry
                if defect == .countNotRaised { entry.count = 0 } else { entry.attempt = 0 }
                let altered = LeaseToken(
                    entry: entry, executedAt: token.executedAt, nonce: token.nonce)
                state.originals[altered] = token
                reservation.messages[place].token = altered
            }
        }
        return reservation
    }

    private func loseDue(in queue: QueueName) async throws(BrokerError) {
        let page = try await broker.messages(.scheduled, in: queue, after: nil, limit: 1)
        guard let first = page.messages.first, let due = first.dueAt, due <= time.now() else {
            return
        }
        _ = try await broker.cancel([first.id], in: queue)
    }

    // MARK: Runs

    private func original(_ token: LeaseToken) -> LeaseToken {
        state.withLock { $0.originals[token] ?? token }
    }

    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        let list = settlements.map { Settlement(original($0.token), $0.verdict) }
        switch defect {
        case .noTokenCheck:
            var outcomes = try await broker.settle(list, in: queue)
            for place in list.indices where outcomes[place] == .stale {
                let current = state.withLock { $0.current[list[place].token.id] }
                guard let current, current != list[place].token else { continue }
                outcomes[place] = try await broker.settle(
                    [Settlement(current, list[place].verdict)], in: queue)[0]
            }
            return outcomes
        case .oneStaleFailsTheBatch:
            let held = state.withLock { state in
                list.allSatisfy { state.current[$0.token.id] == $0.token }
            }
            if !held { return list.map { _ in .stale } }
        case .ackLost:
            if list.count == 1, list[0].verdict == .ack { return [.done] }
        case .releaseReversed:
            if list.allSatisfy({ $0.verdict == .release }) {
                return try await broker.settle(list.reversed(), in: queue).reversed()
            }
        case .releaseForgetsOne:
            if list.count > 1, list.last?.verdict == .release {
                return try await broker.settle(list.dropLast(), in: queue) + [.done]
            }
        case .forwardLost:
            if list.count == 1, case .forward = list[0].verdict {
                return try await broker.settle([Settlement(list[0].token, .ack)], in: queue)
            }
        case .forwardWithoutEpochGate:
            var outcomes = try await broker.settle(list, in: queue)
            for place in list.indices where outcomes[place] == .targetBusy {
                let ack = [Settlement(list[place].token, .ack)]
                outcomes[place] = try await broker.settle(ack, in: queue)[0]
            }
            return outcomes
        case .uniqueKeyLeakedOnDead:
            let outcomes = try await broker.settle(list, in: queue)
            state.withLock { state in
                for (place, settlement) in list.enumerated() where outcomes[place] == .done {
                    let id = settlement.token.id
                    guard case .reject = settlement.verdict, let key = state.keys[id] else {
                        continue
                    }
                    state.leakedKeys["\(queue) \(key)"] = id
                }
            }
            return outcomes
        default: break
        }
        return try await broker.settle(list, in: queue)
    }

    func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        broker.settleDetached(settlements, in: queue)
    }

    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let lease = defect == .renewalLost ? .milliseconds(1) : lease
        broker.renew(tokens.map(original), for: lease, in: queue, then: then)
    }

    func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        var list = checkpoints.map { Checkpoint(original($0.token), $0.bytes) }
        if defect == .checkpointLost { list = list.map { Checkpoint($0.token, []) } }
        return try await broker.checkpoint(list, in: queue)
    }

    // MARK: Upkeep

    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        if defect == .reclaimChargesAttempt {
            let page = try await broker.messages(.leased, in: queue, after: nil, limit: 1)
            if let first = page.messages.first, let deadline = first.leaseDeadline,
                deadline <= time.now(), let token = state.withLock({ $0.current[first.id] })
            {
                _ = try await broker.settle(
                    [Settlement(token, .retry(after: .zero))], in: queue)
                _ = try await broker.promote(in: queue)
                let rest = try await broker.reclaim(limit - 1, in: queue)
                return Reclaimed(ready: rest.ready + 1, dead: rest.dead)
            }
        }
        return try await broker.reclaim(limit, in: queue)
    }
}

extension MisbehavingBroker: Operator {
    func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        let outcomes = try await broker.redrive(ids, in: queue)
        state.withLock { state in
            for (id, outcome) in zip(ids, outcomes) where outcome == .redriven {
                state.redriven.insert(id)
            }
        }
        return outcomes
    }

    func cancel(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool] {
        try await broker.cancel(ids, in: queue)
    }

    func promote(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool] {
        try await broker.promote(ids, in: queue)
    }

    func pause(_ queue: QueueName) async throws(BrokerError) { try await broker.pause(queue) }

    func resume(_ queue: QueueName) async throws(BrokerError) { try await broker.resume(queue) }

    func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        try await broker.purge(queue, limit: limit)
    }

    func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        try await broker.settings(of: queue)
    }

    func apply(_ settings: QueueSettings, to queue: QueueName) async throws(BrokerError) {
        try await broker.apply(settings, to: queue)
    }
}
