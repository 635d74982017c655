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
            switch state.withLock({ $0.worker.nextStep(now) }) {
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
            do throws(BrokerError) {
                settled(settlements, try await broker.settleLanes(settlements, in: stream.name))
            } catch {
                settleFailed(settlements, error)
            }
            return
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
        switch both.settled {
        case .success(let outcomes): settled(settlements, outcomes)
        case .failure(let error): settleFailed(settlements, error)
        }
        switch both.reserved {
        case .success(let reservation): await reserved(reservation, request)
        case .failure(let error): reserveFailed(error)
        }
    }

    // MARK: What came of it

    private func settled(_ settlements: [LaneSettlement], _ outcomes: [SettleOutcome]) {
        let isIdle = state.withLock { cell -> Bool in
            cell.worker.settled(settlements, outcomes)
            for (settlement, outcome) in zip(settlements, outcomes) where outcome != .targetBusy {
                guard let lane = cell.inHand.removeValue(forKey: settlement.token) else { continue }
                if outcome == .done { cell.cache.put(lane, for: settlement.token.key) }
            }
            return cell.worker.isIdle
        }
        for (settlement, outcome) in zip(settlements, outcomes) {
            switch outcome {
            case .done: break
            case .stale:
                Logger.current.warning(
                    """
                    a commit of key '\(settlement.token.key)' of '\(stream.name)' came too late: its \
                    lease was lost, nothing was changed and its points run again
                    """)
            case .targetBusy: postpone(settlement)
            }
        }
        // The other exchange may wait for this one's results before it may end.
        if isIdle {
            idleSignal.fire()
            wakeExchanges()
        }
    }

    /// A target of the commit's messages is full: the key stays in hand until it has room.
    private func postpone(_ settlement: LaneSettlement) {
        Logger.current.info(
            """
            a commit of key '\(settlement.token.key)' of '\(stream.name)' waits: a queue that it \
            sends messages to holds its maximum
            """)
        _ = stream.broker.time.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            let now = stream.broker.time.now()
            state.withLock { $0.worker.retryDeferred(settlement, now) }
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

    private func reserveFailed(_ error: BrokerError) {
        let now = stream.broker.time.now()
        state.withLock { cell in
            let jitter = Double.random(in: 0...1, using: &cell.random)
            cell.worker.reserveFailed(now, jitter: jitter)
        }
        judge(error, "could not reserve from '\(stream.name)'")
    }

    private func judge(_ error: BrokerError, _ what: String) {
        if error.isPassing {
            Logger.current.warning("\(what), trying again: \(error)")
        } else {
            fail(error)
        }
    }

    private func reserved(_ reservation: LaneReservation, _ request: LaneRequest) async {
        let now = stream.broker.time.now()
        var (work, cold) = state.withLock { cell -> ([StreamWorkerState.Work], [Int]) in
            let work = cell.worker.reserved(reservation, request, now)
            // A key of which nothing was ever handled has nothing to load.
            let cold = work.indices.filter { index in
                let lane = work[index].lane
                cell.inHand[lane.token] = cell.cache.take(lane)
                return lane.position > 0 && cell.inHand[lane.token] == nil
            }
            cell.warm += work.count - cold.count
            cell.cold += cold.count
            return (work, cold)
        }
        if !cold.isEmpty {
            do throws(BrokerError) {
                let keys = cold.map { work[$0].lane.token.key }
                let memories = try await stream.broker.memories(
                    of: keys, window: stream.kept, in: stream.name)
                var overtaken: [Int] = []
                for (index, memory) in zip(cold, memories) {
                    let lane = work[index].lane
                    if memory.position == lane.position, memory.birth == lane.birth {
                        work[index].memory = memory
                    } else {
                        // The process stood still for longer than its lease, and another went on.
                        overtaken.append(index)
                    }
                }
                loseLeases(overtaken.map { work[$0].lane.token })
                for index in overtaken.reversed() { work.remove(at: index) }
                let bytes = memories.reduce(0) { $0 + $1.bytesMoved }
                state.withLock { $0.bytesMoved += bytes }
            } catch {
                Logger.current.warning(
                    "could not load \(cold.count) window(s) of '\(stream.name)': \(error)")
                giveBack(cold.map { work[$0].lane }, error)
                for index in cold.reversed() { work.remove(at: index) }
            }
        }
        let parked = state.withLock { cell -> [UnsafeContinuation<Void, Never>] in
            cell.worker.backlog.append(contentsOf: work)
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

    private func giveBack(_ lanes: [LeasedLane], _ error: BrokerError) {
        let now = stream.broker.time.now()
        state.withLock { cell in
            for lane in lanes { cell.worker.add(.release(lane), now) }
        }
        if !error.isPassing { fail(error) }
    }
}
