// SPDX-License-Identifier: Apache-2.0

/// The worker's decisions together with the tasks that carry them out; lives behind one lock.
struct WorkerCell: Sendable {
    /// Slots that were woken and have not begun yet. Each slot that begins wakes the next while there
    /// is work, so handlers that never suspend wake few slots, and those that wait wake them all.
    static let wakesAhead = 2

    /// Continuations to resume once the lock is given back.
    struct Wakes {
        var slots: [UnsafeContinuation<Void, Never>] = []
        var signals: [Signal] = []

        func resume() {
            for slot in slots { slot.resume() }
            for signal in signals { signal.fire() }
        }
    }

    var worker: WorkerState
    var random: Xoshiro
    var slots: [Int: Task<Void, Never>] = [:]
    var graceTimer: ScheduledAction?
    var timeoutTimer: ScheduledAction?
    var timeoutCheckAt: Timestamp?
    /// One for each trip to the store that may be under way: while one is answered the next is sent.
    let laneSignals: [Signal]
    var waitingLanes: [Int] = []
    let wakerSignal = Signal()
    /// Fired when nothing is left in hand.
    let idleSignal = Signal()
    /// Fired when a slot has ended before its worker, or the worker has.
    let superviseSignal = Signal()
    /// Why the worker ends before it was told to.
    var failure: BrokerError?
    private(set) var isFinished = false
    private var hasBegun = false
    private var parked: [UnsafeContinuation<Void, Never>] = []
    private var waking = 0
    private var endedSlots: [Int] = []
    private var takenAtLastWait: UInt64 = 0

    init(_ worker: WorkerState, random: Xoshiro) {
        self.worker = worker
        // Why: who runs one message at a time expects them in order, and two answers may overtake.
        laneSignals = (0..<(worker.concurrency == 1 ? 1 : 2)).map { _ in Signal() }
        self.random = random
    }

    mutating func begin() -> Bool {
        defer { hasBegun = true }
        return !hasBegun
    }

    mutating func finish() { isFinished = true }

    func tasks(of slots: [Int]) -> [Task<Void, Never>] { slots.compactMap { self.slots[$0] } }

    // MARK: Slots

    mutating func park(_ continuation: UnsafeContinuation<Void, Never>) {
        parked.append(continuation)
    }

    /// A woken slot has begun.
    mutating func begun() { waking = max(0, waking - 1) }

    mutating func slotEnded(_ slot: Int) { endedSlots.append(slot) }

    mutating func takeEndedSlots() -> [Int] {
        defer { endedSlots = [] }
        return isFinished ? [] : endedSlots
    }

    /// Slots to wake for what waits in the backlog.
    mutating func takeSlotWakes() -> Wakes {
        var wakes = Wakes()
        while waking < Self.wakesAhead, waking < worker.backlog.count, let slot = parked.popLast() {
            waking += 1
            wakes.slots.append(slot)
        }
        return wakes
    }

    /// A lane to wake when there is something for it to do.
    mutating func takeLaneWake(_ now: Timestamp) -> Signal? {
        guard let lane = waitingLanes.last, worker.hasWork(now) else { return nil }
        waitingLanes.removeLast()
        return laneSignals[lane]
    }

    /// What the waker needs to know; nil while the lanes need no wake-up.
    mutating func wait() -> (nextDue: Duration?, isIdle: Bool, hasWorked: Bool)? {
        guard worker.isDry, worker.phase == .working else { return nil }
        defer { takenAtLastWait = worker.taken }
        return (worker.nextDue, worker.isIdle, worker.taken != takenAtLastWait)
    }

    mutating func takeAllWakes() -> Wakes {
        defer {
            parked = []
            waitingLanes = []
        }
        return Wakes(slots: parked, signals: laneSignals + [wakerSignal, superviseSignal])
    }
}
