// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

extension StreamWorker {
    private static var longestWait: Double { 5000 }

    /// Waits at the store while there is nothing to take, and lets the exchanges ask again.
    func runWaker() async {
        let broker = stream.broker
        while !Task.isCancelled {
            await wakerSignal.wait()
            if Task.isCancelled { return }
            let (end, isDry, isIdle, nextDue) = state.withLock {
                ($0.end, $0.worker.isDry, $0.worker.isIdle, $0.worker.nextDue)
            }
            if end == .drained, isDry, isIdle, await isDrained() { return stop() }
            guard isDry else { continue }
            let limit = end == .drained ? 100 : Self.longestWait * Double.random(in: 0.8...1.2)
            let due = nextDue.map { max(1, ($0 - broker.time.now()).milliseconds) } ?? .max
            await wait(.milliseconds(min(Int64(limit), due)))
            state.withLock { $0.worker.isDry = false }
            wakeExchanges()
        }
    }

    /// Waits at the store; also returns when the last key in hand is committed, or when somebody
    /// wants to end.
    private func wait(_ limit: Duration) async {
        let name = stream.name
        let broker = stream.broker
        await withTaskGroup { group in
            group.addTask { await self.idleSignal.wait() }
            group.addTask { await broker.waitForLanes(in: name, upTo: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func isDrained() async -> Bool {
        do {
            return try await stream.broker.streamInspector.counts(ofStream: stream.name).isDrained
        } catch {
            Logger.current.warning("could not count '\(stream.name)': \(error)")
            return false
        }
    }

    /// Takes back what dead workers held, appends redriven dead letters again and drops keys that
    /// were idle for too long, a bounded amount at a time.
    func runUpkeep() async {
        let broker = stream.broker
        var round = 0
        while !Task.isCancelled {
            do throws(BrokerError) {
                for _ in 0..<64 {
                    let taken = try await broker.reclaimLanes(64, in: stream.name)
                    if taken > 0 { wakeDry() }
                    if taken < 64 { break }
                }
                if !state.withLock({ $0.worker.isToldQuiet }) { try await takeRedriven() }
                if round % 6 == 0 {
                    if let idle = options.keepIdle { try await expire(idle) }
                    try await broker.prune(64, in: stream.name)
                }
                round += 1
            } catch {
                Logger.current.warning("upkeep of '\(stream.name)' failed, trying again: \(error)")
            }
            let period = Double(options.lease.milliseconds) / 6 * Double.random(in: 0.8...1)
            await broker.time.sleep(for: .milliseconds(Int64(period)))
        }
    }

    /// Drops keys until a few calls in a row find none: a store may look at a part of them per call.
    private func expire(_ idle: Duration) async throws(BrokerError) {
        var dropped = 0
        var inVain = 0
        for _ in 0..<64 where inVain < 4 && !Task.isCancelled {
            let count = try await stream.broker.expireLanes(
                idleFor: idle, limit: 64, in: stream.name)
            dropped += count
            inVain = count == 0 ? inVain + 1 : 0
        }
        if dropped > 0 {
            Logger.current.info("\(dropped) key(s) of '\(stream.name)' were idle and are dropped")
        }
    }

    private func wakeDry() {
        state.withLock { $0.worker.isDry = false }
        wakeExchanges()
    }

    /// A dead point that an operator redrives is ready in the queue of the stream's name: it is
    /// appended again, late, and then acked. A crash between the two appends it once more, as a
    /// duplicate while its id is in the key's window.
    private func takeRedriven() async throws(BrokerError) {
        let broker = stream.broker
        let request = ReserveRequest(
            64, lease: options.lease, kinds: [StrayPoint.kind], worker: number)
        let leased = try await broker.reserve(request, from: stream.name).messages
        if leased.isEmpty { return }
        var settlements: [Settlement] = []
        for message in leased {
            guard let point = StrayPoint(messageBody: message.body) else {
                settlements.append(Settlement(message.token, .reject("it is no point of a stream")))
                continue
            }
            guard point.stream == stream.name else {
                let reason = "it is a point of stream '\(point.stream)', not of this one"
                settlements.append(Settlement(message.token, .reject(reason)))
                continue
            }
            let outcomes = try await broker.append(
                [NewPoint(key: point.key, id: point.id, body: point.body)], to: stream.name,
                options: AppendOptions(
                    acceptsLate: true, maxPending: stream.maxPending, isRedrive: true))
            let isFull = outcomes == [.full]
            settlements.append(
                Settlement(message.token, isFull ? .retry(after: .seconds(10)) : .ack))
        }
        _ = try await broker.settle(settlements, in: stream.name)
        wakeDry()
    }
}
