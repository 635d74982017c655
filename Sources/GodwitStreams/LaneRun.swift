// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Godwit
import Logging

/// One hold of a key: its points one after the other, until one fails or the time is up.
struct LaneRun<Point: Sendable, State: Sendable>: Sendable {
    typealias Handler = @Sendable (inout Window<Point, State>, PointContext) async throws -> Void

    let stream: KeyedStream<Point, State>
    let options: StreamWorkerOptions
    let handler: Handler

    struct Result: Sendable {
        var settlement: LaneSettlement
        /// What to remember once the commit is done; nil where it is not known.
        var remembered: RememberedLane<Point, State>?
    }

    /// Never throws: what went wrong is in the settlement.
    func run(
        _ work: StreamWorkerState.Work, _ remembered: RememberedLane<Point, State>?,
        isStopping: () -> Bool, random: () -> UInt64
    ) async -> Result {
        let lane = work.lane
        // Why first: its window may be what killed them.
        if lane.lost >= 3 { return Result(settlement: condemned(lane)) }
        var memo: RememberedLane<Point, State>
        do {
            memo = try remembered ?? decode(work.memory ?? LaneMemory(), lane)
        } catch {
            // Skipping would not help: no point of this key can be handled without its past.
            let end = failed(lane, "the window or state can't be read: \(error)", random)
            return Result(settlement: .unhandled(lane, end))
        }

        let time = stream.broker.time
        let began = time.now()
        let outbox = EmissionBuffer()
        var emissions: [Emission] = []
        var end = LaneEnd.next
        var handled = 0
        for point in lane.points {
            if work.lease.isLost { break }
            if handled > 0, isStopping() || time.now() - began >= options.holdTime { break }
            let context = PointContext(
                stream: stream.name, key: lane.token.key, id: point.id, isLate: point.isLate,
                attempt: (handled == 0 ? lane.attempt : 0) + 1, broker: stream.broker,
                outbox: outbox, lease: work.lease)
            do {
                let (current, state) = try await handle(point, memo, context)
                memo.state = state
                memo.enter(current, size: point.size, kept: stream.kept)
                emissions += outbox.take()
                handled += 1
            } catch {
                _ = outbox.take()
                if work.lease.isLost { break }
                // The handler was cut short by a stop: that is no fault of the point.
                if Task.isCancelled, !(error is Verdict) {
                    end = .release
                    break
                }
                let failures = handled == 0 ? lane.attempt : 0
                end = verdict(error, point, failures, lane, random, &emissions)
                break
            }
        }
        return finish(lane, memo, handled, end, emissions, random)
    }

    private func handle(
        _ point: StoredPoint, _ memo: RememberedLane<Point, State>, _ context: PointContext
    ) async throws -> (Point, State) {
        let current: Point
        do {
            current = try point.body.withUnsafeBytes { try stream.pointCoding.decode($0) }
        } catch {
            throw Unreadable(reason: "the point can't be read: \(error)")
        }
        var window = Window(current: current, previous: memo.points, state: memo.state)
        try await handler(&window, context)
        return (current, window.state)
    }

    private func finish(
        _ lane: LeasedLane, _ memo: RememberedLane<Point, State>, _ handled: Int, _ end: LaneEnd,
        _ emissions: [Emission], _ random: () -> UInt64
    ) -> Result {
        var memo = memo
        var passed = handled
        if end == .skip { passed += 1 }
        let newest = lane.points.prefix(passed).reduce(lane.newest) { max($0, $1.id) }
        var state: [UInt8]?
        if handled > 0 {
            do {
                let bytes = try stream.stateCoding.encode(memo.state)
                if bytes.count > StreamLimits.stateBytes {
                    throw Unreadable(
                        reason: """
                            it has \(bytes.count) bytes, \(StreamLimits.stateBytes) are allowed: \
                            keep sums, not lists
                            """)
                }
                if bytes != memo.stateBytes { state = bytes }
                memo.stateBytes = bytes
            } catch {
                let end = failed(lane, "the state can't be kept: \(error)", random)
                return Result(settlement: .unhandled(lane, end))
            }
        }
        memo.position = lane.position + UInt64(passed)
        return Result(
            settlement: LaneSettlement(
                lane.token, handled: handled, newest: newest, state: state,
                windowCount: stream.kept, windowBytes: memo.windowBytes, end: end,
                emissions: emissions),
            remembered: memo)
    }

    private func decode(
        _ memory: LaneMemory, _ lane: LeasedLane
    ) throws -> RememberedLane<Point, State> {
        var memo = RememberedLane<Point, State>.empty(stream, lane)
        if !memory.state.isEmpty {
            memo.state = try memory.state.withUnsafeBytes { try stream.stateCoding.decode($0) }
            memo.stateBytes = memory.state
        }
        for point in memory.window.suffix(stream.kept) {
            let decoded = try point.body.withUnsafeBytes { try stream.pointCoding.decode($0) }
            memo.enter(decoded, size: point.size, kept: stream.kept)
        }
        return memo
    }

    // MARK: Failures

    private func verdict(
        _ error: any Error, _ point: StoredPoint, _ failures: Int, _ lane: LeasedLane,
        _ random: () -> UInt64, _ emissions: inout [Emission]
    ) -> LaneEnd {
        let reason: String
        switch error {
        case Verdict.retry(let delay, let text):
            if !isLast(failures) { return .retry(after: delay, reason: text) }
            reason = text
        case Verdict.reject(let text): reason = text
        case Verdict.release: return .release
        case let unreadable as Unreadable: reason = unreadable.reason
        default: reason = "\(error)"
        }
        if case Verdict.reject = error {
        } else if !isLast(failures) {
            var generator = Xoshiro(seed: random())
            let delay = options.retry.delay(afterFailures: failures + 1, using: &generator)
            Logger.current.info(
                "point \(point.id) of key '\(lane.token.key)' of '\(stream.name)' failed: \(reason)"
            )
            return .retry(after: delay, reason: reason)
        }
        return giveUp(point, lane, reason, &emissions)
    }

    private func isLast(_ failures: Int) -> Bool {
        options.retry.maxAttempts.map { failures + 1 >= $0 } ?? false
    }

    private func giveUp(
        _ point: StoredPoint, _ lane: LeasedLane, _ reason: String, _ emissions: inout [Emission]
    ) -> LaneEnd {
        Logger.current.warning(
            """
            point \(point.id) of key '\(lane.token.key)' of '\(stream.name)' is given up: \(reason)
            """)
        guard options.giveUp == .skip else { return .block(reason: reason) }
        emissions.append(
            StrayPoint.letter(
                point, key: lane.token.key, position: lane.position, stream: stream.name,
                coding: stream.pointCoding.name, reason))
        return .skip
    }

    /// A suspect that killed its worker while alone: its first point is given up without a run (I6).
    private func condemned(
        _ lane: LeasedLane
    ) -> LaneSettlement {
        givenUp(
            lane, "crash-loop: \(lane.lost) workers lost their lease over it, the last one alone")
    }

    /// Gives up the first point of a key that nobody ran.
    private func givenUp(_ lane: LeasedLane, _ reason: String) -> LaneSettlement {
        guard let first = lane.points.first else { return .unhandled(lane, .next) }
        var emissions: [Emission] = []
        let end = giveUp(first, lane, reason, &emissions)
        var settlement = LaneSettlement.unhandled(lane, end, emissions)
        if end == .skip { settlement.newest = max(lane.newest, first.id) }
        return settlement
    }

    /// What takes the place of a commit that the store refuses for good: the points run again one by
    /// one, the one at fault is given up, and if that is refused too, its key waits for an operator.
    /// Nil when nothing is left to try; the lease runs out then.
    func refused(
        _ settlement: LaneSettlement, _ lane: LeasedLane, _ error: BrokerError,
        random: () -> UInt64
    ) -> LaneSettlement? {
        let reason = "its commit was refused: \(error)"
        if settlement.handled == 0 {
            return settlement.end == .skip ? .unhandled(lane, .block(reason: reason)) : nil
        }
        if lane.points.count == 1 { return givenUp(lane, reason) }
        return .unhandled(lane, failed(lane, reason, random))
    }

    /// Parks a key of which nothing can be handled, or blocks it after the last attempt.
    func failed(_ lane: LeasedLane, _ reason: String, _ random: () -> UInt64) -> LaneEnd {
        Logger.current.warning("key '\(lane.token.key)' of '\(stream.name)': \(reason)")
        if isLast(lane.attempt) { return .block(reason: reason) }
        var generator = Xoshiro(seed: random())
        return .retry(
            after: options.retry.delay(afterFailures: lane.attempt + 1, using: &generator),
            reason: reason)
    }
}

/// Bytes that this build can't read, or a state that can't be kept.
private struct Unreadable: Error, CustomStringConvertible {
    var reason: String
    var description: String { reason }
}

extension RememberedLane {
    fileprivate static func empty(
        _ stream: KeyedStream<Point, State>, _ lane: LeasedLane
    ) -> RememberedLane {
        RememberedLane(
            birth: lane.birth, position: lane.position, state: stream.initialState())
    }
}
