// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore
import Logging
import Synchronization

/// One WorkLanes stream: does what its ``LaneSession`` decides, one step at a time, and waits at the store
/// while there is nothing to do. A stream whose lanes are all worked through it gets its upkeep here too.
final class LaneDesk: Sendable {
    private struct State {
        var session: LaneSession
        var refusal: RPCError?
    }

    private let state: Mutex<State>
    private let broker: any StreamBroker
    private let stream: QueueName
    private let terms: LaneSession.Terms
    private let mask: TokenMask?
    private let news = Signal()
    private let room = Signal()

    init(
        _ terms: LaneSession.Terms, on broker: any StreamBroker, stream: QueueName,
        mask: TokenMask?
    ) {
        state = Mutex(State(session: LaneSession(terms)))
        self.terms = terms
        self.broker = broker
        self.stream = stream
        self.mask = mask
    }

    /// Takes what the client said; returns once there is room for more.
    func take(_ change: (inout LaneSession) -> Void) async {
        tell(change)
        while state.withLock({ $0.session.isFull }), !Task.isCancelled { await room.wait() }
    }

    func tell(_ change: (inout LaneSession) -> Void) {
        state.withLock { change(&$0.session) }
        news.fire()
    }

    func refuse(_ error: RPCError) {
        state.withLock { $0.refusal = $0.refusal ?? error }
        tell { $0.breakOff() }
    }

    /// The store's clock.
    private var now: Timestamp { broker.time.now() + broker.clockOffset }

    func run(_ writer: RPCWriter<Godwit_V1_WorkLanesResponse>) async throws {
        while true {
            if Task.isCancelled { state.withLock { $0.session.breakOff() } }
            let step = state.withLock { $0.session.next(at: now) }
            room.fire()
            switch step {
            case .settle(let batch, let request?):
                let result = await broker.settleLanes(batch, thenReserve: request, from: stream)
                state.withLock { $0.session.settled(result.settled) }
                await reserved(result.reserved)
            case .settle(let batch, nil):
                let result = await attempt { () throws(BrokerError) in
                    try await broker.settleLanes(batch, in: stream)
                }
                state.withLock { $0.session.settled(result) }
            case .reserve(let request):
                await reserved(
                    await attempt { () throws(BrokerError) in
                        try await broker.reserveLanes(request, from: stream)
                    })
            case .renew(let tokens):
                let result = await withCheckedContinuation { continuation in
                    broker.renewLanes(tokens, for: terms.lease, in: stream) {
                        continuation.resume(returning: $0)
                    }
                }
                state.withLock { $0.session.renewed(result, at: now) }
            case .write(let answer, _):
                var isOnItsWay = true
                do { try await writer.write(answer) } catch { isOnItsWay = false }
                state.withLock { $0.session.wrote(isOnItsWay) }
            case .release(let settlements): await release(settlements)
            case .rest(let end, let waitsForLanes): await rest(end, waitsForLanes)
            case .end:
                if let refusal = state.withLock({ $0.refusal }) { throw refusal }
                return
            }
        }
    }

    /// Reads what the keys have learnt; lanes without it go back.
    private func reserved(_ result: Result<LaneReservation, BrokerError>) async {
        let full: Result<(LaneReservation, [LaneDelivery]), BrokerError>
        switch result {
        case .failure(let error): full = .failure(error)
        case .success(let reservation) where reservation.lanes.isEmpty:
            full = .success((reservation, []))
        case .success(let reservation):
            do throws(BrokerError) {
                let memories = try await broker.memories(
                    of: reservation.lanes.map(\.token.key), window: terms.window, in: stream)
                let lanes = zip(reservation.lanes, memories).map { LaneDelivery($0, $1) }
                full = .success((reservation, lanes))
            } catch {
                await release(reservation.lanes.map { $0.given(back: .release) })
                full = .failure(error)
            }
        }
        state.withLock { state in
            state.session.reserved(full, at: now) { delivery in
                var wire = delivery.lane.wire(mask: mask, in: stream)
                wire.memory = delivery.memory.wire
                return wire
            }
        }
    }

    private func release(_ settlements: [LaneSettlement]) async {
        do throws(BrokerError) {
            _ = try await broker.settleLanes(settlements, in: stream)
        } catch {
            Logger.current.warning(
                "could not give back \(settlements.count) keys of '\(stream)': \(error)")
        }
    }

    private func rest(_ end: Timestamp?, _ waitsForLanes: Bool) async {
        let longest = Duration.milliseconds(Int64.random(in: 4000...6000))
        let length = max(.milliseconds(1), min(end.map { $0 - now } ?? longest, longest))
        let hasLanes = await withTaskGroup(of: Bool?.self) { tasks in
            tasks.addTask { [news] in
                await news.wait()
                return nil
            }
            tasks.addTask { [broker, stream] in
                if waitsForLanes {
                    await broker.waitForLanes(in: stream, upTo: length)
                } else {
                    await broker.time.sleep(for: length)
                }
                return waitsForLanes
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? nil
        }
        if hasLanes == true { state.withLock { $0.session.wake() } }
    }

    /// Takes back what lost clients held, until the task is cancelled.
    func runUpkeep() async {
        while !Task.isCancelled {
            let period = Double(terms.lease.milliseconds) / 6 * Double.random(in: 0.8...1)
            await broker.time.sleep(for: .milliseconds(max(10, Int64(period))))
            if Task.isCancelled { return }
            do throws(BrokerError) {
                for _ in 0..<64 {
                    if try await broker.reclaimLanes(64, in: stream) < 64 { break }
                }
            } catch {
                Logger.current.warning("upkeep of '\(stream)' failed, trying again: \(error)")
            }
        }
    }
}
