// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore
import Synchronization

/// One Work stream: does what its ``WorkSession`` decides, one step at a time.
///
/// Two tasks for each stream, and no buffer but the session's: one reads, and stops reading while the
/// session is full; the other goes to the store and writes, and waits while the client does not read.
final class WorkDesk: Sendable {
    private struct State {
        var session: WorkSession
        /// What the stream ends with.
        var refusal: RPCError?
        var grace: ScheduledAction?
        var wakeUp: ScheduledAction?
    }

    private let state: Mutex<State>
    private let broker: any Broker
    private let queue: QueueName
    private let lease: Duration
    private let isRaw: Bool
    private let mask: TokenMask?
    private let grace: Duration
    private let news = Signal()
    /// The session is not full any more.
    private let room = Signal()

    init(
        _ session: WorkSession, on broker: any Broker, queue: QueueName, lease: Duration,
        isRaw: Bool, mask: TokenMask?, grace: Duration
    ) {
        state = Mutex(State(session: session))
        self.broker = broker
        self.queue = queue
        self.lease = lease
        self.isRaw = isRaw
        self.mask = mask
        self.grace = grace
    }

    // MARK: news

    private func tell(_ change: (inout WorkSession) -> Void) {
        state.withLock { change(&$0.session) }
        news.fire()
    }

    /// Takes what the client said; returns once there is room for more.
    func take(_ input: WorkInput) async {
        tell { $0.take(input) }
        while state.withLock({ $0.session.isFull }), !Task.isCancelled { await room.wait() }
    }

    func endInput() { tell { $0.endInput() } }
    func breakOff() { tell { $0.breakOff() } }
    func wake() { tell { $0.wake() } }

    /// Ends the stream with this, once what was accepted is done.
    func refuse(_ error: RPCError) {
        state.withLock { $0.refusal = $0.refusal ?? error }
        breakOff()
    }

    /// The server ends: so does the stream when nothing is out, and at the latest after the grace.
    func close() {
        let timer = broker.time.schedule(after: grace) { [weak self] in
            self?.refuse(RPCError(code: .unavailable, message: "the server has ended"))
        }
        state.withLock { $0.grace = timer }
        tell { $0.close() }
    }

    // MARK: steps

    /// Runs until the stream is over; throws what it ends with.
    func run(_ place: WorkRoom, _ writer: RPCWriter<Godwit_V1_WorkResponse>) async throws {
        var waiting: UInt64?
        defer {
            state.withLock { state in
                state.grace?.cancel()
                state.wakeUp?.cancel()
            }
            if let waiting { place.stepOut(waiting) }
            // It may have been woken on its way out.
            place.done(self, found: nil)
        }
        while true {
            // Why: a task that is cancelled can't rest, nor write.
            if Task.isCancelled { state.withLock { $0.session.breakOff() } }
            let step = state.withLock { $0.session.next(at: now) }
            room.fire()
            if case .rest(let rest) = step {
                place.done(self, found: nil)
                if let place_ = waiting { place.stepOut(place_) }
                waiting = rest.waitsForMessages ? place.enter(self, rest) : nil
                await self.rest(until: rest.until)
                continue
            }
            switch step {
            case .settle(let batch, let request?):
                let result = await broker.settle(batch, thenReserve: request, from: queue)
                place.done(self, found: result.reserved.hasFound)
                state.withLock { state in
                    state.session.settled(result.settled, at: now)
                    state.session.reserved(result.reserved, at: now)
                }
            case .settle(let batch, nil):
                let result = await attempt { () throws(BrokerError) in
                    try await broker.settle(batch, in: queue)
                }
                state.withLock { $0.session.settled(result, at: now) }
            case .reserve(let request):
                let result = await attempt { () throws(BrokerError) in
                    try await broker.reserve(request, from: queue)
                }
                place.done(self, found: result.hasFound)
                state.withLock { $0.session.reserved(result, at: now) }
            case .renew(let tokens):
                let result = await attempt { () throws(BrokerError) in
                    try await broker.renew(tokens, for: lease, in: queue)
                }
                state.withLock { $0.session.renewed(result, at: now) }
            case .keep(let checkpoints):
                let result = await attempt { () throws(BrokerError) in
                    try await broker.checkpoint(checkpoints, in: queue)
                }
                state.withLock { $0.session.kept(result) }
            case .release(let settlements):
                broker.settleDetached(settlements, in: queue)
            case .write(let answer):
                // A client that does not read keeps nobody else from being woken.
                place.done(self, found: nil)
                if let place_ = waiting {
                    place.stepOut(place_)
                    waiting = nil
                }
                await write(answer, writer)
            case .rest: break
            case .end:
                if let refusal = state.withLock({ $0.refusal }) { throw refusal }
                return
            }
        }
    }

    /// The store's clock.
    private var now: Timestamp { broker.time.now() + broker.clockOffset }

    private func write(
        _ answer: WorkAnswer, _ writer: RPCWriter<Godwit_V1_WorkResponse>
    ) async {
        var isOnItsWay = true
        do {
            try await writer.write(answer.wire(raw: isRaw, mask: mask))
        } catch {
            isOnItsWay = false
        }
        state.withLock { $0.session.wrote(isOnItsWay) }
    }

    private func rest(until end: Timestamp?) async {
        if let end {
            let news = news
            let timer = broker.time.schedule(after: max(.milliseconds(1), end - now)) {
                news.fire()
            }
            state.withLock { state in
                state.wakeUp?.cancel()
                state.wakeUp = timer
            }
        }
        await news.wait()
    }
}

extension Result<Reservation, BrokerError> {
    /// Nil where the store did not say.
    fileprivate var hasFound: Bool? { (try? get()).map { !$0.messages.isEmpty } }
}
