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
            cell.finish()
            return (cell.worker.unsettled.count, cell.takeAllWakes())
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
        let broker = queue.broker
        guard let request else {
            let settled: Result<[SettleOutcome], BrokerError>
            do throws(BrokerError) {
                settled = .success(try await broker.settle(settlements, in: queue.name))
            } catch {
                settled = .failure(error)
            }
            return settle(settlements, settled)
        }
        if settlements.isEmpty {
            do throws(BrokerError) {
                return reserve(
                    request, .success(try await broker.reserve(request, from: queue.name)))
            } catch {
                return reserve(request, .failure(error))
            }
        }
        let both = await broker.settle(settlements, thenReserve: request, from: queue.name)
        settle(settlements, both.settled)
        reserve(request, both.reserved)
    }

    private func settle(_ settlements: [Settlement], _ result: Result<[SettleOutcome], BrokerError>)
    {
        let now = queue.broker.time.now()
        switch result {
        case .success(let outcomes):
            let idle = state.withLock { cell -> Signal? in
                cell.worker.settled(settlements)
                return cell.worker.isIdle ? cell.idleSignal : nil
            }
            idle?.fire()
            for (settlement, outcome) in zip(settlements, outcomes) where outcome != .done {
                notSettled(settlement, outcome)
            }
        case .failure(let error):
            Logger.current.warning(
                "could not settle \(settlements.count) message(s), trying again: \(error)")
            state.withLock { $0.worker.settleFailed(settlements, at: now, random: &$0.random) }
        }
    }

    private func notSettled(_ settlement: Settlement, _ outcome: SettleOutcome) {
        let id = settlement.token.id
        if outcome == .stale {
            return Logger.current.warning(
                """
                '\(settlement.verdict)' of message \(id) of '\(queue.name)' came too late: its \
                lease was lost, nothing was changed and another run takes over
                """)
        }
        // An older copy is still live at the target (a crash between the two halves of a forward).
        Logger.current.info(
            "message \(id) waits for an older copy of itself: \(settlement.verdict)")
        _ = queue.broker.time.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            let now = self.queue.broker.time.now()
            let signals = self.state.withLock { cell in
                cell.worker.settle(settlement, at: now)
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
                cell.worker.reserved(reservation, asked: request.count, at: now)
                var wakes = cell.takeSlotWakes()
                if cell.worker.isDry { wakes.signals.append(cell.wakerSignal) }
                return wakes
            }
            wakes.resume()
        case .failure(let error):
            Logger.current.warning("could not reserve from '\(queue.name)', trying again: \(error)")
            state.withLock {
                $0.worker.reserveFailed(asked: request.count, at: now, random: &$0.random)
            }
        }
    }
}
