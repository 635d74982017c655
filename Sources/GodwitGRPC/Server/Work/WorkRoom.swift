// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

/// Where the streams of one queue and the same kinds wait for messages.
///
/// One call waits at the store for all of them. When it returns, one stream is woken, and the next only
/// after that one has reserved: so a message wakes one stream, and a thousand messages wake as many as
/// are needed. The room also does a worker's upkeep, so that a queue that is worked only through the
/// door gets back what lost clients held.
final class WorkRoom: Sendable {
    private struct Guest {
        var desk: WorkDesk
        var rest: WorkSession.Rest
    }

    private struct State {
        var desks: [ObjectIdentifier: WorkDesk] = [:]
        /// Who waits, by when they came.
        var waiting: [UInt64: Guest] = [:]
        var lastPlace: UInt64 = 0
        /// Who was woken and has not yet reserved.
        var woken: ObjectIdentifier?
        var hasFound = false
        var lease = Duration.seconds(30)
        /// The call that waits at the store now, until when, and what breaks it off.
        var call: (end: Timestamp, signal: Signal)?
    }

    private static let longestWait = 5000.0

    private let queue: QueueName
    private let kinds: [Kind]?
    private let broker: any Broker
    private let state = Mutex(State())
    /// Somebody came to wait.
    private let arrival = Signal()
    /// The one that was woken has reserved, or will not.
    private let turn = Signal()
    private let ended = Signal()

    init(_ queue: QueueName, _ kinds: [Kind]?, on broker: any Broker) {
        self.queue = queue
        self.kinds = kinds
        self.broker = broker
    }

    // MARK: who is here

    func join(_ desk: WorkDesk, lease: Duration) {
        state.withLock { state in
            state.lease = state.desks.isEmpty ? lease : min(state.lease, lease)
            state.desks[ObjectIdentifier(desk)] = desk
        }
    }

    /// True when it was the last one.
    func leave(_ desk: WorkDesk) -> Bool {
        let (isEmpty, wasWoken) = state.withLock { state in
            let key = ObjectIdentifier(desk)
            state.desks[key] = nil
            defer { if state.woken == key { state.woken = nil } }
            return (state.desks.isEmpty, state.woken == key)
        }
        if wasWoken { turn.fire() }
        return isEmpty
    }

    func close() {
        for desk in state.withLock({ Array($0.desks.values) }) { desk.close() }
    }

    func end() { ended.fire() }

    /// Waits in the room from now on; gives the place to leave by.
    func enter(_ desk: WorkDesk, _ rest: WorkSession.Rest) -> UInt64 {
        let (place, signal) = state.withLock { state -> (UInt64, Signal?) in
            state.lastPlace += 1
            state.waiting[state.lastPlace] = Guest(desk: desk, rest: rest)
            guard let call = state.call else { return (state.lastPlace, arrival) }
            // Why only then: a call that is broken off costs the store a connection.
            let isSooner = rest.nextDue.map { $0 < call.end } ?? false
            return (state.lastPlace, isSooner ? call.signal : nil)
        }
        signal?.fire()
        return place
    }

    func stepOut(_ place: UInt64) {
        state.withLock { _ = $0.waiting.removeValue(forKey: place) }
    }

    /// The one that was woken has reserved; repeating it is harmless. `found`: nil where it did not ask.
    func done(_ desk: WorkDesk, found: Bool?) {
        let wasWoken = state.withLock { state in
            guard state.woken == ObjectIdentifier(desk) else { return false }
            state.woken = nil
            state.hasFound = found ?? true
            return true
        }
        if wasWoken { turn.fire() }
    }

    // MARK: running

    /// Runs until the last stream has left or the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.watch() }
            tasks.addTask { await self.runUpkeep() }
            await ended.wait()
            tasks.cancelAll()
        }
    }

    private func watch() async {
        var fruitless = 0
        while !Task.isCancelled {
            guard
                let due = state.withLock({ state -> Timestamp?? in
                    state.waiting.isEmpty
                        ? nil : .some(state.waiting.values.lazy.compactMap(\.rest.nextDue).min())
                })
            else {
                await arrival.wait()
                continue
            }
            let began = broker.time.now()
            await wait(due.map { max(.milliseconds(1), $0 - (began + broker.clockOffset)) })
            if Task.isCancelled { return }
            let length = broker.time.now() - began
            guard let desk = nextInLine() else { continue }
            desk.wake()
            await turn.wait()
            fruitless = state.withLock { $0.hasFound } ? 0 : fruitless + 1
            // Why: a store may wake for what nobody here can take (a limit, a suspect while busy).
            if fruitless > 3, length.milliseconds < 50 {
                await broker.time.sleep(for: .milliseconds(min(500, 10 << min(fruitless - 3, 6))))
            }
        }
    }

    /// Those with nothing in hand before the others, as only they can take a suspect (I6); then by when
    /// they came.
    private func nextInLine() -> WorkDesk? {
        state.withLock { state in
            let next = state.waiting.min {
                ($0.value.rest.isBusy ? 1 : 0, $0.key) < ($1.value.rest.isBusy ? 1 : 0, $1.key)
            }
            guard let (place, guest) = next else { return nil }
            state.waiting[place] = nil
            state.woken = ObjectIdentifier(guest.desk)
            return guest.desk
        }
    }

    /// Waits at the store, or until somebody comes who knows of a message that is due before the end.
    private func wait(_ due: Duration?) async {
        let limit = Duration.milliseconds(
            Int64(Self.longestWait * Double.random(in: 0.8...1.2)))
        let time = min(due ?? limit, limit)
        let signal = Signal()
        let end = broker.time.now() + broker.clockOffset + time
        state.withLock { $0.call = (end, signal) }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                await self.broker.wait(for: self.kinds, in: self.queue, upTo: time)
            }
            tasks.addTask { await signal.wait() }
            await tasks.next()
            tasks.cancelAll()
        }
        state.withLock { $0.call = nil }
    }

    /// Takes back what lost clients held and drops what is old, a bounded amount at a time.
    private func runUpkeep() async {
        var round = 0
        while !Task.isCancelled {
            let lease = state.withLock { $0.lease }
            let period = Double(lease.milliseconds) / 6 * Double.random(in: 0.8...1)
            await broker.time.sleep(for: .milliseconds(max(10, Int64(period))))
            if Task.isCancelled { return }
            do {
                for _ in 0..<64 {
                    let reclaimed = try await broker.reclaim(64, in: queue)
                    if reclaimed.ready + reclaimed.dead < 64 { break }
                }
                try await broker.promote(in: queue)
                round += 1
                guard round % 6 == 0 else { continue }
                for _ in 0..<64 {
                    if try await broker.prune(64, in: queue) < 64 { break }
                }
            } catch {
                Logger.current.warning("upkeep of '\(queue)' failed, trying again: \(error)")
            }
        }
    }
}
