// SPDX-License-Identifier: Apache-2.0
package import DequeModule
package import Godwit

/// Decides what a stream's worker does next; does none of it.
///
///     reserve ─► loading ─► backlog ─► running (one per slot) ─► outbox ─► commit ─┬─► gone
///                                                                ▲                 ▼
///                                                                └───────────── deferred
package struct StreamWorkerState: Sendable {
    /// A key in the worker's hands.
    struct Held: Sendable {
        var lane: LeasedLane
        var lease: LaneLease
        /// Set while a slot has it: when it was begun.
        var runningSince: Timestamp?
        /// Its commit is on its way: a renewal that finds it gone says nothing of a loss.
        var isSettling = false
    }

    /// A key that waits for a slot, with what the store told of it where it was not remembered.
    package struct Work: Sendable {
        package var lane: LeasedLane
        package var memory: LaneMemory?
        package var lease: LaneLease
    }

    package enum Phase: Sendable, Comparable {
        case working
        /// Nothing new is begun; what runs may end.
        case stopping
        /// Handlers are cancelled, and may still say so.
        case graceOver
        /// Nobody is waited for.
        case over
    }

    package enum Step: Sendable {
        case exchange([LaneSettlement], LaneRequest?)
        /// Until something happens, or for so long.
        case wait(Duration?)
        case finish
    }

    package let concurrency: Int
    let options: StreamWorkerOptions
    let number: UInt32

    package private(set) var phase = Phase.working
    /// An operator wants it to take nothing new.
    private(set) var isToldQuiet = false
    /// Holds that ended, and those of them that failed.
    private var finishedCount = 0
    private var failedCount = 0
    package private(set) var backlog = Deque<Work>()
    package private(set) var running = 0
    /// Those among them whose leases are lost: nothing but slots that are not free.
    private var abandoned = 0
    private(set) var outbox: [LaneSettlement] = []
    private var outboxSince: Timestamp?
    /// Commits on their way.
    private var settling = 0
    /// Commits that wait for room at a target, and keys that a handler gave back: in hand until
    /// they are tried again.
    private(set) var deferred: [LaneSettlement] = []
    private var wantsRetry = false
    private var reserving = 0
    /// Keys that were reserved and whose windows are on their way.
    private var loading = 0
    private(set) var held: [LaneToken: Held] = [:]
    /// The store had nothing for us; the waker says when to ask again.
    package var isDry = false
    private(set) var nextDue: Timestamp?
    private var suspectsWaiting = 0
    /// When a busy worker takes nothing more so that a suspect may come, and until when.
    private var drain: (from: Timestamp, until: Timestamp)?
    /// A suspect is in hand: nothing else is taken until it is settled (I6).
    private var isExclusive = false
    /// Trips in a row that failed.
    private(set) var failures = 0
    private var loadFailures = 0
    private var heldUntil: Timestamp?
    /// Milliseconds that a key took lately.
    private var pace = 1.0

    package init(concurrency: Int, options: StreamWorkerOptions, number: UInt32) {
        self.concurrency = concurrency
        self.options = options
        self.number = number
    }

    /// Nothing in hand and nothing on its way.
    package var isIdle: Bool { isAlone && abandoned == 0 && deferred.isEmpty }

    /// Nothing is in flight that a suspect could harm or be blamed for (I6). What hangs has lost
    /// its lease, and what waits for room has run: both would keep suspects waiting for ever.
    private var isAlone: Bool { isQuiet && running == abandoned }

    private var isQuiet: Bool {
        backlog.isEmpty && outbox.isEmpty && settling == 0 && reserving == 0 && loading == 0
    }

    /// Nothing runs that could bring a result.
    private var isStill: Bool { running == abandoned && backlog.isEmpty }

    /// Results wait no longer than this for company.
    static let gather = Duration.milliseconds(2)
    static let commit = StreamLimits.lanes

    // MARK: Steps of an exchange

    package mutating func nextStep(_ now: Timestamp, random: inout Xoshiro) -> Step {
        let endsNow = phase != .working && outbox.isEmpty
        if let until = heldUntil, until > now, !endsNow {
            return phase == .over ? .finish : .wait(until - now)
        }
        if phase != .working { return nextStepOfStop() }
        let request = nextRequest(now, random: &random)
        let isRipe =
            outbox.count >= Self.commit / 2 || isStill
            || outboxSince.map { now - $0 >= Self.gather } == true
        if !outbox.isEmpty, isRipe || request != nil {
            if request != nil { reserving += 1 }
            return .exchange(takeOutbox(now), request)
        }
        if let request {
            reserving += 1
            return .exchange([], request)
        }
        let gathered = outboxSince.map { max(.zero, Self.gather - (now - $0)) }
        // A drain that was in vain ends by itself.
        let drained = drain.flatMap { $0.from <= now && now < $0.until ? $0.until - now : nil }
        return .wait([gathered, drained].compactMap { $0 }.min())
    }

    private mutating func nextStepOfStop() -> Step {
        if !outbox.isEmpty { return .exchange(takeOutbox(nil), nil) }
        return isQuiet && (running == 0 || phase == .over) ? .finish : .wait(nil)
    }

    private mutating func takeOutbox(_ now: Timestamp?) -> [LaneSettlement] {
        let part = Array(outbox.prefix(Self.commit))
        outbox.removeFirst(part.count)
        outboxSince = outbox.isEmpty ? nil : now
        settling += part.count
        for settlement in part { held[settlement.token]?.isSettling = true }
        return part
    }

    /// Whether an exchange that sleeps has something to do now.
    package func wantsExchange(_ now: Timestamp) -> Bool {
        // The first result wakes one, which sets the timer for the rest.
        outbox.count == 1 || outbox.count >= Self.commit / 2 || isStill
            || (reserving == 0 && !isDry && backlog.count <= concurrency / 2)
    }

    private mutating func nextRequest(_ now: Timestamp, random: inout Xoshiro) -> LaneRequest? {
        guard !isExclusive, !isDry, !isToldQuiet, reserving == 0 else { return nil }
        // What is leased ahead waits for a slot, and all of them hang.
        guard abandoned < concurrency else { return nil }
        if isDraining(now, random: &random) { return nil }
        // Prefetch at most 50 ms of work, so that other workers get their share of slow points.
        let ahead = min(options.batch, Int(50 * Double(concurrency) / max(pace, 0.01)))
        let waiting = backlog.count + loading
        // What waits for room counts: a target that stays full slows this worker down.
        let room = max(concurrency - running, ahead) - waiting - deferred.count
        guard room > 0, waiting <= ahead / 2 || running < concurrency else { return nil }
        var request = LaneRequest(
            min(room, options.batch), points: options.pointsPerHold, lease: options.lease,
            worker: number)
        request.takesSuspects = suspectsWaiting > 0 && isAlone
        return request
    }

    /// A busy worker that hears of suspects takes nothing more after a random while, so that it
    /// becomes empty and may ask for one; few workers do so at once (I6). When a long run keeps it
    /// from that, it goes on working and tries again later.
    private mutating func isDraining(_ now: Timestamp, random: inout Xoshiro) -> Bool {
        guard suspectsWaiting > 0, !isAlone else {
            drain = nil
            return false
        }
        let sixth = max(1, options.lease.milliseconds / 6)
        let range: ClosedRange<Int64>
        switch drain {
        case nil: range = 1...sixth
        case let (_, until)? where now >= until: range = 3 * sixth...6 * sixth
        case let (from, _)?: return now >= from
        }
        let from = now + .milliseconds(Int64.random(in: range, using: &random))
        drain = (from, from + .milliseconds(sixth))
        return false
    }

    // MARK: What came of it

    /// Takes in what was reserved; its keys are loading until ``loaded(_:of:_:)``.
    package mutating func reserved(_ reservation: LaneReservation, _ request: LaneRequest) -> [Work]
    {
        reserving -= 1
        failures = 0
        suspectsWaiting = reservation.suspectsWaiting
        nextDue = reservation.nextDue
        // With the last commit in the same trip it may have become alone since it asked.
        isDry =
            reservation.lanes.isEmpty
            && !(suspectsWaiting > 0 && !request.takesSuspects && isAlone)
        if reservation.lanes.contains(where: { $0.lost >= 2 }) { isExclusive = true }
        loading += reservation.lanes.count
        return reservation.lanes.map { lane in
            let lease = LaneLease()
            held[lane.token] = Held(lane: lane, lease: lease)
            return Work(lane: lane, lease: lease)
        }
    }

    package mutating func reserveFailed(_ now: Timestamp, jitter: Double) {
        reserving -= 1
        failures = min(failures + 1, 8)
        backOff(now, jitter, failures)
    }

    /// Those of `count` reserved keys whose windows are known now; after a stop they go straight back.
    package mutating func loaded(_ work: [Work], of count: Int, _ now: Timestamp) {
        loading -= count
        for work in work where held[work.lane.token] != nil { backlog.append(work) }
        if phase != .working || isToldQuiet || abandoned == concurrency { releaseBacklog(now) }
        leaveExclusive()
    }

    /// Windows were loaded, or could not be for now: the next try waits longer each time.
    package mutating func loadSucceeded() { loadFailures = 0 }
    package mutating func loadFailed(_ now: Timestamp, jitter: Double) {
        loadFailures = min(loadFailures + 1, 8)
        backOff(now, jitter, loadFailures)
    }

    /// A slot takes the next key.
    package mutating func take(_ now: Timestamp) -> Work? {
        guard phase == .working, let work = backlog.popFirst() else { return nil }
        held[work.lane.token]?.runningSince = now
        running += 1
        return work
    }

    /// A slot's run has ended; false when its lease was lost meanwhile, and nothing of it counts.
    /// A key that the handler gave back rests for a while, or it would be here again at once.
    package mutating func finished(
        _ settlement: LaneSettlement, took: Duration, _ now: Timestamp
    ) -> Bool {
        running -= 1
        finishedCount += 1
        switch settlement.end {
        case .retry, .skip, .block: failedCount += 1
        default: break
        }
        pace = 0.9 * pace + 0.1 * max(0.001, took / .milliseconds(1))
        guard held[settlement.token] != nil else {
            abandoned -= 1
            leaveExclusive()
            return false
        }
        held[settlement.token]?.runningSince = nil
        if settlement.isRelease { deferLater([settlement], now) } else { add(settlement, now) }
        return true
    }

    package mutating func add(_ settlement: LaneSettlement, _ now: Timestamp) {
        outbox.append(settlement)
        if outboxSince == nil { outboxSince = now }
    }

    package mutating func settled(_ settlements: [LaneSettlement], _ outcomes: [SettleOutcome]) {
        settling -= settlements.count
        failures = 0
        for (settlement, outcome) in zip(settlements, outcomes) where outcome != .targetBusy {
            held[settlement.token] = nil
        }
        leaveExclusive()
    }

    /// Keeps what is to be tried again later; after a stop it is given back, and runs again.
    package mutating func deferLater(_ settlements: [LaneSettlement], _ now: Timestamp) {
        for settlement in settlements where held[settlement.token] != nil {
            held[settlement.token]?.isSettling = false
            if phase == .working {
                if deferred.isEmpty { wantsRetry = true }
                deferred.append(settlement)
            } else {
                add(.release(settlement), now)
            }
        }
    }

    /// True once when somebody must ``retryDeferred(_:)`` in a while.
    package mutating func takeRetry() -> Bool {
        defer { wantsRetry = false }
        return wantsRetry
    }

    /// The targets may have room now.
    package mutating func retryDeferred(_ now: Timestamp) {
        for settlement in deferred { add(settlement, now) }
        deferred = []
    }

    /// Nothing is known of these: they are sent again, as far as they are still held.
    package mutating func settleFailed(
        _ settlements: [LaneSettlement], _ now: Timestamp, jitter: Double
    ) {
        settling -= settlements.count
        for settlement in settlements { held[settlement.token]?.isSettling = false }
        outbox.insert(contentsOf: settlements.filter { held[$0.token] != nil }, at: 0)
        outboxSince = now
        failures = min(failures + 1, 8)
        backOff(now, jitter, failures)
    }

    /// The store will never take this one: another takes its place, or its lease runs out.
    package mutating func refused(
        _ settlement: LaneSettlement, instead: LaneSettlement?, _ now: Timestamp
    ) {
        settling -= 1
        held[settlement.token]?.isSettling = false
        if let instead, held[settlement.token] != nil {
            add(instead, now)
        } else {
            held[settlement.token] = nil
        }
        leaveExclusive()
    }

    private mutating func backOff(_ now: Timestamp, _ jitter: Double, _ failures: Int) {
        heldUntil = now + .milliseconds(Int64(Double(25 << failures) * (0.5 + jitter / 2)))
    }

    /// Once nothing is in flight others may come in again, and a suspect that waits is asked for.
    private mutating func leaveExclusive() {
        guard isAlone else { return }
        isExclusive = false
        if suspectsWaiting > 0 { isDry = false }
    }

    // MARK: Leases

    /// Those to renew: a run that lasts longer than it may is left to run out.
    package func tokensToRenew(_ now: Timestamp) -> [LaneToken] {
        held.filter { !$0.value.isSettling && !isTooLong($0.value, now, .zero) }.map(\.key)
    }

    /// Runs whose leases must have run out, since nobody renewed them for a whole lease.
    package func expired(_ now: Timestamp) -> [LaneToken] {
        held.filter { isTooLong($0.value, now, options.lease) }.map(\.key)
    }

    private func isTooLong(_ held: Held, _ now: Timestamp, _ more: Duration) -> Bool {
        guard let since = held.runningSince else { return false }
        return now - since >= options.maxHold + more
    }

    /// Their holders go on, but nothing of it counts. Returns how many of them were in hand.
    package mutating func lost(_ tokens: [LaneToken], _ now: Timestamp) -> Int {
        // What was committed while the renewal was on its way is gone too, and not lost.
        let stale = Set(tokens.filter { held[$0]?.isSettling == false })
        var count = 0
        for token in stale {
            guard let held = held.removeValue(forKey: token) else { continue }
            held.lease.lose()
            if held.runningSince != nil { abandoned += 1 }
            count += 1
        }
        backlog.removeAll { stale.contains($0.lane.token) }
        outbox.removeAll { stale.contains($0.token) }
        deferred.removeAll { stale.contains($0.token) }
        if abandoned == concurrency { releaseBacklog(now) }
        leaveExclusive()
        return count
    }

    // MARK: What operators see and want

    /// `identity` with what is in hand now. A run is named by its key, and its kind is the stream's.
    package func beat(_ identity: WorkerBeat, clockOffset: Duration) -> WorkerBeat {
        var beat = identity
        beat.busy = running
        beat.held = held.count
        beat.finished = finishedCount
        beat.failed = failedCount
        beat.isQuiet = isToldQuiet || phase != .working
        let runs = held.values.compactMap { held in held.runningSince.map { ($0, held.lane) } }
            .sorted { ($0.0, $0.1.token.key) < ($1.0, $1.1.token.key) }
        beat.running = runs.prefix(WorkerBeat.mostRunning).map { since, lane in
            WorkerBeat.Running(
                id: lane.token.key, kind: identity.queue, since: since + clockOffset,
                attempt: lane.attempt)
        }
        return beat
    }

    /// No more reserves until ``resume()``; what was not begun goes back, what runs goes on.
    package mutating func quiet(_ now: Timestamp) {
        isToldQuiet = true
        releaseBacklog(now)
    }

    package mutating func resume() {
        isToldQuiet = false
        isDry = false
    }

    // MARK: Stopping

    /// No more reserves; what was not begun and what waits for room go back at once. False when it
    /// was told before.
    package mutating func stop(_ now: Timestamp) -> Bool {
        guard phase == .working else { return false }
        phase = .stopping
        releaseBacklog(now)
        for settlement in deferred { add(.release(settlement), now) }
        deferred = []
        return true
    }

    /// What runs is cancelled; a handler that ends by it gives its key back with no attempt used.
    package mutating func endGrace() { phase = max(phase, .graceOver) }

    /// What runs now is left alone; its lease runs out.
    package mutating func abandon() {
        phase = .over
        for (token, lane) in held where lane.runningSince != nil {
            lane.lease.lose()
            held[token] = nil
            abandoned += 1
        }
    }

    /// Keys that are still in hand, or whose handlers go on.
    package var left: Int { held.count + running }

    private mutating func releaseBacklog(_ now: Timestamp) {
        for work in backlog { add(.release(work.lane), now) }
        backlog = []
    }
}

extension LaneSettlement {
    /// Ends a hold of which nothing counts; window and state stay as they are.
    static func unhandled(
        _ lane: LeasedLane, _ end: LaneEnd, _ emissions: [Emission] = []
    ) -> LaneSettlement {
        LaneSettlement(
            lane.token, handled: 0, newest: lane.newest, windowCount: 0, windowBytes: 0, end: end,
            emissions: emissions)
    }

    /// Gives a key back untouched.
    static func release(_ lane: LeasedLane) -> LaneSettlement { .unhandled(lane, .release) }

    /// Gives a key back whose commit is not to be: its points run again.
    static func release(_ settlement: LaneSettlement) -> LaneSettlement {
        LaneSettlement(
            settlement.token, handled: 0, newest: settlement.newest, windowCount: 0,
            windowBytes: 0, end: .release)
    }

    /// Nothing of the hold counts, and its key goes back as it was.
    var isRelease: Bool { handled == 0 && end == .release }
}
