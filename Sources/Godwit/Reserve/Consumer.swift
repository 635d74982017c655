// SPDX-License-Identifier: Apache-2.0
import Logging
import ServiceLifecycle
import Synchronization

/// Hands out messages one by one, for a loop of your own; no `run()` is needed.
///
/// It leases a few ahead when they are quick, and an ack brings the next ones along, so a steady
/// loop makes one trip to the store per message. What it holds is renewed until it is settled.
public final class Consumer: Sendable {
    public let queue: Queue
    let options: ConsumerOptions
    private let number: UInt32
    private let state: Mutex<ConsumerState>
    private let random = Mutex(Xoshiro())
    private let keeper: Mutex<LeaseKeeper<LeaseToken>?> = Mutex(nil)

    public init(_ queue: Queue, options: ConsumerOptions = ConsumerOptions()) {
        self.queue = queue
        self.options = options
        number = random.withLock { UInt32(truncatingIfNeeded: $0.next()) }
        state = Mutex(ConsumerState(options: options, now: queue.broker.time.now()))
    }

    deinit {
        keeper.withLock { $0?.stop() }
        release(state.withLock { $0.takeBuffered() })
    }

    /// Waits for the next message of a job's kind; nil on shutdown and on cancellation.
    ///
    /// A suspect is handed out alone (I6): while one is in somebody's hands, this waits until it is
    /// settled. So settle what you hold before you ask for more, or ask from several tasks.
    ///
    /// - Moves: ready → leased. What does not decode goes to the dead letters with its bytes (I11).
    /// - Throws: ``BrokerError`` when the store is not fit; while it is only unavailable, waits.
    public func reserve<J: Job>(_ type: J.Type) async throws -> Delivery<J>? {
        let kind = try J.kind()
        while let leased = try await next(kind) {
            do {
                let job = try Payload.decode(J.self, from: leased.body, of: kind, by: queue.codec)
                return Delivery(job, leased, self)
            } catch let verdict as Verdict {
                try await settle(leased, verdict)
            }
        }
        return nil
    }

    /// Waits for the next message of any kind, with its payload as bytes; else as for a job's.
    public func reserve() async throws -> Delivery<Message>? {
        while let leased = try await next(nil) {
            do {
                return Delivery(try Payload.message(leased), leased, self)
            } catch let verdict as Verdict {
                try await settle(leased, verdict)
            }
        }
        return nil
    }

    /// Makes every `reserve` return nil, and gives back what was leased ahead.
    public func stop() {
        let (leased, waiters) = state.withLock { state in
            state.stop()
            return (state.takeBuffered(), state.takeWaiters())
        }
        release(leased)
        waiters.forEach { $0.fire() }
    }

    // MARK: Reserve

    private func next(_ kind: Kind?) async throws(BrokerError) -> LeasedMessage? {
        let broker = queue.broker
        var failures = 0
        startKeeper()
        while !Task.isCancelled, !Task.isShuttingDownGracefully, !broker.isShutDown {
            let now = broker.time.now()
            // Why before the buffer: a consumer that always finds something there is a reclaimer too.
            try await keepUp(now)
            let (leased, request, isStopped) = state.withLock {
                state -> (LeasedMessage?, ReserveRequest?, Bool) in
                if let leased = state.take(kind, at: now) { return (leased, nil, false) }
                return (nil, state.request(kind, isRefill: false, worker: number), state.isStopped)
            }
            if let leased { return leased }
            if isStopped { return nil }
            guard let request else {
                await waitForSettle()
                continue
            }
            do throws(BrokerError) {
                let reservation = try await queue.calls.reserve(request)
                refilled(kind, reservation)
                failures = 0
                if reservation.messages.isEmpty {
                    let due =
                        reservation.nextDue.map { ($0 - reservation.now).milliseconds } ?? .max
                    let limit = Int64(5000 * Double.random(in: 0.8...1.2))
                    await wait(kind, upTo: .milliseconds(max(1, min(limit, due))))
                }
            } catch {
                refilled(kind, nil)
                guard error.isPassing, !broker.isShutDown else {
                    if broker.isShutDown { return nil }
                    throw error
                }
                Logger.current.warning(
                    "could not reserve from '\(queue.name)', trying again: \(error)")
                failures += 1
                await broker.time.sleep(for: .milliseconds(min(5000, 50 << min(failures, 7))))
            }
        }
        return nil
    }

    private func wait(_ kind: Kind?, upTo limit: Duration) async {
        let broker = queue.broker
        let queue = queue.name
        await withGracefulShutdownHandler {
            await broker.wait(for: kind.map { [$0] }, in: queue, upTo: limit)
        } onGracefulShutdown: { [weak self] in
            self?.stop()
        }
    }

    private func refilled(_ kind: Kind?, _ reservation: Reservation?) {
        let now = queue.broker.time.now()
        let waiters = state.withLock { $0.refilled(kind, reservation, at: now) }
        waiters.forEach { $0.fire() }
    }

    /// A busy consumer's share of what workers do: bounded, and at most once per sixth of a lease.
    private func keepUp(_ now: Timestamp) async throws(BrokerError) {
        guard state.withLock({ $0.isUpkeepDue(now) }) else { return }
        do throws(BrokerError) {
            try await queue.calls.reclaim(64)
            try await queue.calls.prune(64)
        } catch {
            guard error.isPassing else { throw error }
            Logger.current.warning(
                "upkeep of '\(queue.name)' failed, trying again: \(error)")
        }
    }

    /// While a suspect is in hand, or asked for, nothing else is handed out.
    private func waitForSettle() async {
        let signal = Signal()
        let mustWait = state.withLock { state -> Bool in
            guard state.isExclusive, !state.isStopped else { return false }
            state.waiters.append(signal)
            return true
        }
        guard mustWait else { return }
        await withGracefulShutdownHandler {
            await signal.wait()
        } onGracefulShutdown: { [weak self] in
            self?.stop()
        }
    }

    private func startKeeper() {
        let fresh = keeper.withLock { keeper -> LeaseKeeper<LeaseToken>? in
            guard keeper == nil else { return nil }
            keeper = LeaseKeeper(
                queue.calls, time: queue.broker.time, lease: options.lease,
                held: { [weak self] now in
                    guard let self else { return [] }
                    let (tokens, forgotten) = self.state.withLock { state in
                        let forgotten = state.takeForgotten(at: now)
                        return (state.tokensToRenew(at: now), forgotten)
                    }
                    self.release(forgotten)
                    return tokens
                },
                lost: { [weak self] tokens in
                    let (lost, waiters) =
                        self?.state.withLock { state -> (Int, [Signal]) in
                            let lost = state.lost(Set(tokens))
                            return (lost, state.isExclusive ? [] : state.takeWaiters())
                        } ?? (0, [])
                    waiters.forEach { $0.fire() }
                    guard lost > 0 else { return }
                    self?.queue.meters?.lost(lost)
                    Logger.current.warning(
                        "\(lost) lease(s) are lost; what is settled on them counts no more")
                })
            return keeper
        }
        fresh?.start()
    }

    // MARK: Settle

    func settle(_ leased: LeasedMessage, _ verdict: Verdict) async throws {
        let broker = queue.broker
        let kind = refillKind(leased)
        let began = broker.time.now()
        let request = state.withLock { state -> ReserveRequest? in
            state.settling(leased.token, at: began)
            return kind.flatMap { state.request($0, isRefill: true, worker: number) }
        }
        defer { settled(leased.token) }
        var settlement = [Settlement(leased.token, verdict)]
        var outcome: Result<[SettleOutcome], BrokerError>
        if let request, let kind {
            let both = await queue.calls.settle(settlement, thenReserve: request)
            refilled(kind, try? both.reserved.get())
            outcome = both.settled
        } else {
            outcome = await settleOnce(settlement)
        }
        var failures = 0
        while true {
            let isOver = broker.time.now() >= began + options.lease
            switch outcome {
            case .success(let outcomes) where outcomes == [.done]: return
            case .success(let outcomes) where outcomes == [.targetBusy]:
                guard isOver || Task.isCancelled else { break }
                release([leased])
                throw Self.targetBusy(leased.token.id, verdict, queue)
            case .success: throw LeaseLost(id: leased.token.id)
            case .failure(let error):
                if !error.isPassing || isOver { throw error }
                guard Task.isCancelled else { break }
                // Why: a cancelled task can't wait. The broker's own thread tries once more, and
                // nobody is here to hear its answer.
                broker.settleDetached(settlement, in: queue.name)
                throw .unknown(error.problem) as BrokerError
            }
            failures += 1
            await broker.time.sleep(for: .milliseconds(min(1000, 25 << min(failures, 6))))
            settlement = [Settlement(leased.token, verdict)]
            outcome = await settleOnce(settlement)
        }
    }

    private func settleOnce(
        _ settlements: [Settlement]
    ) async -> Result<[SettleOutcome], BrokerError> {
        do throws(BrokerError) {
            return .success(try await queue.calls.settle(settlements))
        } catch {
            return .failure(error)
        }
    }

    private static func targetBusy(
        _ id: MessageID, _ verdict: Verdict, _ queue: Queue
    ) -> BrokerError {
        .unavailable(
            BrokerError.Problem(
                what: "\(verdict) of message \(id)", location: "queue '\(queue.name)'",
                cause: "the target is full, or an older copy of the message is still live there",
                advice: "The message was given back and runs again; look at the target first."))
    }

    private func settled(_ token: LeaseToken) {
        let waiters = state.withLock { state -> [Signal] in
            state.settled(token)
            return state.takeWaiters()
        }
        waiters.forEach { $0.fire() }
    }

    /// For which kind an ack brings the next messages along: the one this message was asked for.
    private func refillKind(_ leased: LeasedMessage) -> Kind?? {
        state.withLock { $0.bufferKind(of: leased.token.entry.kindHash) }
    }

    /// A delivery was dropped: a failed run.
    func drop(_ leased: LeasedMessage) {
        let entry = leased.token.entry
        let verdict = random.withLock { random in
            options.retry.verdict(
                attempt: Int(entry.attempt), maxAttempts: entry.maxAttempts,
                reason: "dropped without being settled", using: &random)
        }
        queue.broker.settleDetached([Settlement(leased.token, verdict)], in: queue.name)
        settled(leased.token)
    }

    private func release(_ leased: [LeasedMessage]) {
        if leased.isEmpty { return }
        queue.broker.settleDetached(
            leased.map { Settlement($0.token, .release) }, in: queue.name)
    }
}
