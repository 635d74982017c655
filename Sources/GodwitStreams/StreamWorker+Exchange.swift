// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

extension StreamWorker {
    /// Carries commits to the store and brings new keys back, until the worker is done.
    func runExchange(_ signal: Signal) async {
        let time = stream.broker.time
        while true {
            let now = time.now()
            switch state.withLock({ $0.worker.nextStep(now, random: &$0.random) }) {
            case .exchange(let settlements, let request):
                await exchange(settlements, request)
            case .wait(let limit):
                let timer = limit.map { time.schedule(after: $0) { signal.fire() } }
                await signal.waitUntilFired()
                timer?.cancel()
            case .finish:
                state.withLock { $0.isFinished = true }
                return wakeAll()
            }
            if state.withLock({ $0.isFinished }) { return }
        }
    }

    private func exchange(_ settlements: [LaneSettlement], _ request: LaneRequest?) async {
        let broker = stream.broker
        guard let request else {
            let result: Result<[SettleOutcome], BrokerError>
            do throws(BrokerError) {
                result = .success(try await broker.settleLanes(settlements, in: stream.name))
            } catch {
                result = .failure(error)
            }
            return await settled(settlements, result)
        }
        if settlements.isEmpty {
            do throws(BrokerError) {
                await reserved(try await broker.reserveLanes(request, from: stream.name), request)
            } catch {
                reserveFailed(error)
            }
            return
        }
        let both = await broker.settleLanes(settlements, thenReserve: request, from: stream.name)
        await settled(settlements, both.settled)
        switch (both.reserved, both.settled) {
        case (.success(let reservation), _): await reserved(reservation, request)
        case (.failure(let error), .failure(let refusal)) where !refusal.isPassing:
            // Why: it may be the refusal of the other half; alone, the next one tells its own.
            reserveFailed(.unavailable(error.problem))
        case (.failure(let error), _): reserveFailed(error)
        }
    }

    // MARK: What came of a commit

    private func settled(
        _ settlements: [LaneSettlement], _ result: Result<[SettleOutcome], BrokerError>
    ) async {
        switch result {
        case .success(let outcomes): settled(settlements, outcomes)
        case .failure(let error):
            switch error {
            case .invalid, .corrupt: await settleOneByOne(settlements, error)
            default: settleFailed(settlements, error)
            }
        }
    }

    private func settled(_ settlements: [LaneSettlement], _ outcomes: [SettleOutcome]) {
        let ends = zip(settlements, outcomes)
        let busy = ends.filter { $0.1 == .targetBusy }.map(\.0)
        let now = stream.broker.time.now()
        let (isIdle, isStopping, retries) = state.withLock { cell -> (Bool, Bool, Bool) in
            cell.worker.settled(settlements, outcomes)
            if !busy.isEmpty { cell.worker.deferLater(busy, now) }
            for (settlement, outcome) in ends where outcome != .targetBusy {
                guard let lane = cell.inHand.removeValue(forKey: settlement.token) else { continue }
                if outcome == .done { cell.cache.put(lane, for: settlement.token.key) }
            }
            let isStopping = cell.worker.phase != .working
            return (cell.worker.isIdle, isStopping, cell.worker.takeRetry())
        }
        for settlement in busy {
            Logger.current.info(
                """
                a commit of key '\(settlement.token.key)' of '\(stream.name)' waits: a queue that \
                it sends messages to holds its maximum
                """)
        }
        for (settlement, outcome) in ends where outcome == .stale {
            Logger.current.warning(
                """
                a commit of key '\(settlement.token.key)' of '\(stream.name)' came too late: its \
                lease was lost, nothing was changed and its points run again
                """)
        }
        if retries { retryDeferredLater() }
        // The other exchange may wait for this one's results before it may end.
        if isIdle { idleSignal.fire() }
        if isIdle || isStopping { wakeExchanges() }
    }

    /// Keys that wait for room, or that rest, are tried again in a second.
    func retryDeferredLater() {
        _ = stream.broker.time.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            let now = stream.broker.time.now()
            state.withLock { $0.worker.retryDeferred(now) }
            wakeExchanges()
        }
    }

    private func settleFailed(_ settlements: [LaneSettlement], _ error: BrokerError) {
        let now = stream.broker.time.now()
        state.withLock { cell in
            let jitter = Double.random(in: 0...1, using: &cell.random)
            cell.worker.settleFailed(settlements, now, jitter: jitter)
        }
        judge(error, "could not commit \(settlements.count) key(s) of '\(stream.name)'")
    }

    /// Something in a batch can't be committed as it is: the others must not wait for it.
    private func settleOneByOne(_ settlements: [LaneSettlement], _ error: BrokerError) async {
        if settlements.count > 1 {
            for settlement in settlements { await exchange([settlement], nil) }
            return
        }
        guard let settlement = settlements.first else { return }
        let now = stream.broker.time.now()
        let instead = state.withLock { cell -> LaneSettlement? in
            let lane = cell.worker.held[settlement.token]?.lane
            let instead = lane.flatMap {
                run.refused(settlement, $0, error, random: { cell.random.next() })
            }
            // What was learnt in this hold does not count.
            cell.inHand[settlement.token] = nil
            cell.worker.refused(settlement, instead: instead, now)
            return instead
        }
        let next = instead.map { "instead: \($0.end)" } ?? "its lease runs out"
        Logger.current.error(
            """
            a commit of key '\(settlement.token.key)' of '\(stream.name)' is refused (\(next)): \
            \(error)
            """)
        wakeExchanges()
    }

    private func judge(_ error: BrokerError, _ what: String) {
        if error.isPassing {
            Logger.current.warning("\(what), trying again: \(error)")
        } else {
            fail(error)
        }
    }

    // MARK: What came of a reserve

    private func reserveFailed(_ error: BrokerError) {
        let now = stream.broker.time.now()
        let failures = state.withLock { cell in
            let jitter = Double.random(in: 0...1, using: &cell.random)
            cell.worker.reserveFailed(now, jitter: jitter)
            return cell.worker.failures
        }
        var error = error
        // Why not at once: a proxy or a server in trouble may send one odd reply.
        if case .corrupt(let problem) = error, failures < 5 { error = .unavailable(problem) }
        judge(error, "could not reserve from '\(stream.name)'")
    }

    private func reserved(_ reservation: LaneReservation, _ request: LaneRequest) async {
        var (work, cold) = state.withLock { cell -> ([StreamWorkerState.Work], [Int]) in
            let work = cell.worker.reserved(reservation, request)
            // A key of which nothing was ever handled has nothing to load, and one that is
            // condemned is given up without it.
            let cold = work.indices.filter { index in
                let lane = work[index].lane
                cell.inHand[lane.token] = cell.cache.take(lane)
                return lane.position > 0 && lane.lost < 3 && cell.inHand[lane.token] == nil
            }
            cell.warm += work.count - cold.count
            cell.cold += cold.count
            return (work, cold)
        }
        if !cold.isEmpty { work = await load(work, cold) }
        let now = stream.broker.time.now()
        let parked = state.withLock { cell -> [UnsafeContinuation<Void, Never>] in
            cell.worker.loaded(work, of: reservation.lanes.count, now)
            // Handlers that never suspend need few slots; each slot wakes the next while there is work.
            let count = min(cell.parked.count, max(1, min(2, cell.worker.backlog.count)))
            let woken = cell.worker.backlog.isEmpty ? 0 : count
            defer { cell.parked.removeLast(woken) }
            return Array(cell.parked.suffix(woken))
        }
        parked.forEach { $0.resume() }
        if reservation.lanes.isEmpty { wakerSignal.fire() }
        wakeExchanges()
    }
}
