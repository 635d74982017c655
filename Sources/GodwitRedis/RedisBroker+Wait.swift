// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient
import Synchronization

extension RedisBroker {
    /// The longest that the server is asked to hold one call; a lost wake-up costs no more.
    private static let longestBlock = Duration.seconds(5)
    /// The same where any kind will do: a kind that is new meanwhile is noticed after it.
    private static let longestBlockOfAny = Duration.seconds(1)

    /// Blocks on the markers of the kinds, on a connection of its own: every word that makes a
    /// message ready arms the marker of its kind, which stays armed until somebody has taken it.
    public func wait(
        for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration
    ) async {
        let queue = book(queue)
        await wait(upTo: timeout) { await self.block(for: kinds, in: queue, upTo: timeout) }
    }

    /// Blocks on the one marker of a stream: every word that makes a lane ready or parks it arms it.
    public func waitForLanes(in stream: QueueName, upTo timeout: Duration) async {
        let marker = streamBook(stream).keys.laneMarker
        await wait(upTo: timeout) {
            await self.block(upTo: timeout, atMost: Self.longestBlock) { [marker] }
        }
    }

    /// Returns with `block`, or after `timeout`, or when the task is cancelled or the broker shut down.
    private func wait(
        upTo timeout: Duration, _ block: @escaping @Sendable () async -> Void
    ) async {
        if timeout <= .zero || Task.isCancelled { return }
        let signal = Signal()
        let key = state.withLock { state -> UInt64? in
            if state.isClosed { return nil }
            state.lastWaiter += 1
            state.waiters[state.lastWaiter] = signal
            return state.lastWaiter
        }
        guard let key else { return }
        // Why longer than asked: the server ends its call in time by itself, and a connection that is
        // left in the middle can't be used again. In virtual time only the timer knows.
        let timer = time.schedule(after: time.isVirtual ? timeout : timeout + .seconds(1)) {
            signal.fire()
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signal.wait() }
            group.addTask { await block() }
            await group.next()
            group.cancelAll()
        }
        timer.cancel()
        state.withLock { $0.waiters[key] = nil }
    }

    private func block(for kinds: [Kind]?, in queue: RedisQueue, upTo timeout: Duration) async {
        if kinds?.isEmpty == true {
            while !Task.isCancelled { try? await ContinuousClock().sleep(for: Self.longestBlock) }
            return
        }
        let longest = kinds == nil ? Self.longestBlockOfAny : Self.longestBlock
        await block(upTo: timeout, atMost: longest) { try await self.markers(of: kinds, in: queue) }
    }

    /// Returns when a marker was taken, the time is over, or the task is cancelled.
    private func block(
        upTo timeout: Duration, atMost longest: Duration, on markers: () async throws -> [String]
    ) async {
        let clock = ContinuousClock()
        let start = clock.now
        while !Task.isCancelled {
            let left = time.isVirtual ? Self.longestBlock : timeout - (clock.now - start)
            if left <= .zero { return }
            let block = min(left, longest)
            do {
                let markers = try await markers()
                var command = RedisCommand("BZPOPMIN", capacity: 64 * (markers.count + 1))
                command.append(contentsOf: markers)
                // Milliseconds at least: zero would wait for ever.
                let milliseconds = max(1, block.roundedUp)
                command.append(
                    "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())")
                let reply = try await client.sendBlocking(command, blocks: block)
                if !reply.isNull { return }
            } catch {
                // The server is away, or ended the call (a failover): the next reserve tells. Not at
                // once again, in case it is refused at once.
                if Task.isCancelled { return }
                try? await clock.sleep(for: min(block, .milliseconds(Int64.random(in: 100...300))))
                return
            }
        }
    }

    private func markers(of kinds: [Kind]?, in queue: RedisQueue) async throws -> [String] {
        if let kinds { return kinds.map { queue.keys.marker(of: $0.hash) } }
        let read = try await value(
            of: RedisCommand(["HKEYS", queue.keys.key("k")]), "wait for '\(queue.name)'")
        return readKinds(read, of: queue).kinds.map { queue.keys.marker(of: $0) }
            + [queue.keys.marker(of: nil)]
    }
}
