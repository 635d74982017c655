// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

extension Worker {
    /// Carries what has ended to the store and brings new messages back, until the worker is done.
    func runLane(_ lane: Int) async {
        let time = queue.broker.time
        let signal = state.withLock { $0.laneSignals[lane] }
        while true {
            let now = time.now()
            let step = state.withLock { cell -> WorkerState.Step in
                let step = cell.worker.nextStep(now, random: &cell.random)
                if case .wait = step { cell.waitingLanes.append(lane) }
                return step
            }
            switch step {
            case .exchange(let settlements, let request):
                await exchange(settlements, request)
            case .wait(let limit):
                let timer = limit.map { time.schedule(after: $0) { signal.fire() } }
                await signal.waitUntilFired()
                timer?.cancel()
                state.withLock { cell in cell.waitingLanes.removeAll { $0 == lane } }
            case .finish:
                return finish()
            }
        }
    }

    private func finish() {
        let (left, wakes) = state.withLock { cell in
            // The first lane to end tells of what is left.
            let left = cell.isFinished ? 0 : cell.worker.unsettled.count
            cell.finish()
            return (left, cell.takeAllWakes())
        }
        if left > 0 {
            Logger.current.error(
                """
                stopped while the store could not be reached: \(left) result(s) of '\(queue.name)' \
                are not settled; their leases run out and they run again
                """)
        }
        wakes.resume()
    }

    private func exchange(_ settlements: [Settlement], _ request: ReserveRequest?) async {
        let calls = queue.calls
        guard let request else {
            let settled: Result<[SettleOutcome], BrokerError>
            do throws(BrokerError) {
                settled = .success(try await calls.settle(settlements))
            } catch {
                settled = .failure(error)
            }
            return await settle(settlements, settled)
        }
        if settlements.isEmpty {
            do throws(BrokerError) {
                return reserve(request, .success(try await calls.reserve(request)))
            } catch {
                return reserve(request, .failure(error))
            }
        }
        let both = await calls.settle(settlements, thenReserve: request)
        await settle(settlements, both.settled)
        var reserved = both.reserved
        if case .failure(let refusal) = both.settled, !refusal.isPassing,
            case .failure(let error) = reserved, !error.isPassing
        {
            // Why: it may be the refusal of the other half; alone, the next one tells its own.
            reserved = .failure(.unavailable(error.problem))
        }
        reserve(request, reserved)
    }

    private func settle(
        _ settlements: [Settlement], _ result: Result<[SettleOutcome], BrokerError>
    ) async {
        let now = queue.broker.time.now()
        switch result {
        case .success(let outcomes):
            let ends = zip(settlements, outcomes)
            let busy = ends.filter { $0.1 == .targetBusy }.map(\.0)
            let (idle, isFirst) = state.withLock { cell -> (Signal?, Bool) in
                cell.worker.settled(settlements)
                let isFirst = cell.worker.deferForwards(busy, at: now)
                return (cell.worker.isIdle ? cell.idleSignal : nil, isFirst)
            }
            idle?.fire()
            if isFirst { retryDeferredLater() }
            for (settlement, outcome) in ends where outcome != .done {
                notSettled(settlement, outcome)
            }
        case .failure(let error) where error.isPassing:
            Logger.current.warning(
                "could not settle \(settlements.count) message(s), trying again: \(error)")
            state.withLock { $0.worker.settleFailed(settlements, at: now, random: &$0.random) }
        case .failure(.misconfigured(let problem)):
            state.withLock { $0.worker.settleFailed(settlements, at: now, random: &$0.random) }
            fail(.misconfigured(problem))
        case .failure(let error):
            await settleOneByOne(settlements, error)
        }
    }

    /// Something in a batch can't be settled as it is: the others must not wait for it.
    private func settleOneByOne(_ settlements: [Settlement], _ error: BrokerError) async {
        if settlements.count > 1 {
            for settlement in settlements { await exchange([settlement], nil) }
            return
        }
        guard let settlement = settlements.first else { return }
        let now = queue.broker.time.now()
        var refused: Settlement?
        switch (error, settlement.verdict) {
        case (.invalid, .ack), (.invalid, .retry), (.invalid, .release), (.invalid, .forward):
            let reason = "'\(settlement.verdict)' was refused: \(error.problem.cause)"
            refused = Settlement(settlement.token, .reject(reason))
        default: break
        }
        Logger.current.error(
            """
            message \(settlement.token.id) can't be settled, \
            \(refused == nil ? "its lease runs out" : "it goes to the dead letters"): \(error)
            """)
        state.withLock { cell in
            cell.worker.dropped(settlements)
            if let refused { cell.worker.settle(refused, at: now) }
        }
    }

    private func notSettled(_ settlement: Settlement, _ outcome: SettleOutcome) {
        let id = settlement.token.id
        guard outcome == .stale else {
            return Logger.current.info(
                """
                '\(settlement.verdict)' of message \(id) waits: its target is full, or an older copy \
                of it is still live there
                """)
        }
        Logger.current.warning(
            """
            '\(settlement.verdict)' of message \(id) of '\(queue.name)' came too late: its \
            lease was lost, nothing was changed and another run takes over
            """)
    }

    private func retryDeferredLater() {
        _ = queue.broker.time.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            let now = self.queue.broker.time.now()
            let signals = self.state.withLock { cell in
                cell.worker.retryDeferred(at: now)
                return cell.laneSignals
            }
            signals.forEach { $0.fire() }
        }
    }

    private func reserve(_ request: ReserveRequest, _ result: Result<Reservation, BrokerError>) {
        let now = queue.broker.time.now()
        switch result {
        case .success(let reservation):
            let wakes = state.withLock { cell -> WorkerCell.Wakes in
                cell.worker.reserved(reservation, to: request, at: now)
                var wakes = cell.takeSlotWakes()
                if cell.worker.isDry { wakes.signals.append(cell.wakerSignal) }
                return wakes
            }
            wakes.resume()
        case .failure(let error):
            let failures = state.withLock { cell in
                cell.worker.reserveFailed(asked: request.count, at: now, random: &cell.random)
                return cell.worker.failures
            }
            // Why not at once: a proxy or a server in trouble may send one odd reply.
            var isOdd = false
            if case .corrupt = error { isOdd = failures < 5 }
            guard error.isPassing || isOdd else { return fail(error) }
            Logger.current.warning("could not reserve from '\(queue.name)', trying again: \(error)")
        }
    }
}
