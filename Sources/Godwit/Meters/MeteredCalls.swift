// SPDX-License-Identifier: Apache-2.0

/// A broker's words for one queue, timed and counted where somebody wants the numbers.
///
/// The one place between the core and the seam; without meters each word is the broker's own.
struct MeteredCalls: Sendable {
    let broker: any Broker
    let queue: QueueName
    let meters: QueueMeters?

    func enqueue(_ messages: [NewMessage]) async throws(BrokerError) -> [EnqueueOutcome] {
        try await timed(.enqueue) { () async throws(BrokerError) in
            try await broker.enqueue(messages, to: queue)
        } counting: { outcomes, word, meters in
            word.carried(messages.count)
            countEnqueued(messages, outcomes, meters)
        }
    }

    func reserve(_ request: ReserveRequest) async throws(BrokerError) -> Reservation {
        try await timed(.reserve) { () async throws(BrokerError) in
            try await broker.reserve(request, from: queue)
        } counting: { reservation, _, meters in
            took(reservation, meters)
        }
    }

    func settle(_ settlements: [Settlement]) async throws(BrokerError) -> [SettleOutcome] {
        try await timed(.settle) { () async throws(BrokerError) in
            try await broker.settle(settlements, in: queue)
        } counting: { outcomes, _, meters in
            ended(settlements, outcomes, meters)
        }
    }

    func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest
    ) async -> SettledAndReserved {
        let began = meters == nil ? nil : ContinuousClock.now
        let both = await broker.settle(settlements, thenReserve: request, from: queue)
        guard let meters, let began else { return both }
        meters.book.meters(of: .exchange).took(ContinuousClock.now - began)
        switch both.settled {
        case .success(let outcomes): ended(settlements, outcomes, meters)
        case .failure(let error): meters.book.meters(of: .settle).failed(error)
        }
        switch both.reserved {
        case .success(let reservation): took(reservation, meters)
        case .failure(let error): meters.book.meters(of: .reserve).failed(error)
        }
        return both
    }

    func renew(
        _ tokens: [LeaseToken], for lease: Duration,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        guard let meters else {
            return broker.renew(tokens, for: lease, in: queue, then: then)
        }
        let began = ContinuousClock.now
        broker.renew(tokens, for: lease, in: queue) { result in
            let word = meters.book.meters(of: .renew)
            word.took(ContinuousClock.now - began)
            word.carried(tokens.count)
            switch result {
            case .success(let outcomes): word.foundStale(outcomes)
            case .failure(let error): word.failed(error)
            }
            then(result)
        }
    }

    /// ``renew(_:for:then:)`` for a caller that may wait.
    func renew(
        _ tokens: [LeaseToken], for lease: Duration
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await withCheckedContinuation { continuation in
            renew(tokens, for: lease) { continuation.resume(returning: $0) }
        }.get()
    }

    func checkpoint(_ checkpoints: [Checkpoint]) async throws(BrokerError) -> [SettleOutcome] {
        try await timed(.checkpoint) { () async throws(BrokerError) in
            try await broker.checkpoint(checkpoints, in: queue)
        } counting: { outcomes, word, _ in
            word.foundStale(outcomes)
        }
    }

    @discardableResult
    func reclaim(_ limit: Int) async throws(BrokerError) -> Reclaimed {
        try await timed(.reclaim) { () async throws(BrokerError) in
            try await broker.reclaim(limit, in: queue)
        } counting: { reclaimed, _, meters in
            meters.reclaimed(reclaimed)
        }
    }

    @discardableResult
    func prune(_ limit: Int) async throws(BrokerError) -> Int {
        try await timed(.prune) { () async throws(BrokerError) in
            try await broker.prune(limit, in: queue)
        } counting: { _, _, _ in
        }
    }

    /// One call under its word: how long it took, why it failed, and what its answer counts for.
    private func timed<Answer>(
        _ name: StoreWord, _ call: () async throws(BrokerError) -> Answer,
        counting count: (Answer, WordMeters, QueueMeters) -> Void
    ) async throws(BrokerError) -> Answer {
        guard let meters else { return try await call() }
        let word = meters.book.meters(of: name)
        let began = ContinuousClock.now
        do throws(BrokerError) {
            let answer = try await call()
            word.took(ContinuousClock.now - began)
            count(answer, word, meters)
            return answer
        } catch {
            word.took(ContinuousClock.now - began)
            word.failed(error)
            throw error
        }
    }

    // MARK: What came of it

    private func took(_ reservation: Reservation, _ meters: QueueMeters) {
        meters.book.meters(of: .reserve).carried(reservation.messages.count)
        meters.reserved(reservation)
    }

    private func ended(
        _ settlements: [Settlement], _ outcomes: [SettleOutcome], _ meters: QueueMeters
    ) {
        let word = meters.book.meters(of: .settle)
        word.carried(settlements.count)
        word.foundStale(outcomes)
        meters.settled(settlements, outcomes)
    }

    private func countEnqueued(
        _ messages: [NewMessage], _ outcomes: [EnqueueOutcome], _ meters: QueueMeters
    ) {
        var open: (kind: Kind, count: Int)?
        for (message, outcome) in zip(messages, outcomes) where outcome == .enqueued {
            if open?.kind.hash == message.kind.hash {
                open?.count += 1
                continue
            }
            if let open { meters.enqueued(open.count, of: open.kind) }
            open = (message.kind, 1)
        }
        if let open { meters.enqueued(open.count, of: open.kind) }
    }
}

extension Queue {
    /// This queue's words at its store.
    var calls: MeteredCalls { MeteredCalls(broker: broker, queue: name, meters: meters) }
}
