// SPDX-License-Identifier: Apache-2.0
import DequeModule

/// What a worker holds and what it should do next: a value that decides, without I/O.
///
/// Messages go reserved → backlog → running → unsettled → settling → gone; a forward that its target
/// has no room for goes settling → deferred → unsettled. Lanes ask ``nextStep(_:)`` and carry it out;
/// slots ask ``take(_:at:)``.
struct WorkerState: Sendable {
    enum Step: Sendable {
        case exchange([Settlement], ReserveRequest?)
        /// Until something changes, or for so long.
        case wait(Duration?)
        case finish
    }

    struct Run: Sendable {
        var sequence: UInt64
        var leased: LeasedMessage
        var startedAt: Timestamp
        /// From then on the handler is cancelled and its run counts as failed.
        var timeoutAt: Timestamp
        /// From then on its lease is renewed no more.
        var hardDeadline: Timestamp
        var lease: RunLease
        var isTimedOut = false
        /// Past its hard deadline: it counts as nothing but a slot that is not free.
        var isHung = false
        /// Its end was decided without it: lease lost, hung, or released by a stop.
        var isAbandoned = false
    }

    enum Phase: Sendable {
        case working, stopping, graceOver
    }

    static let settleBatch = 64
    static let settleDelay = Duration.milliseconds(4)

    let concurrency: Int
    let batch: Int
    let fixedPrefetch: Int?
    let request: ReserveRequest

    private(set) var phase = Phase.working
    /// An operator wants it to take nothing new.
    private(set) var isQuiet = false
    /// Runs that ended, and those of them that failed.
    private(set) var finishedCount = 0
    private(set) var failedCount = 0
    private(set) var backlog: Deque<(sequence: UInt64, leased: LeasedMessage)> = []
    /// By slot; nil where nothing runs.
    private(set) var slots: [Run?]
    private(set) var runningCount = 0
    private var hungCount = 0
    private(set) var unsettled: [Settlement] = []
    private var unsettledSince: Timestamp?
    private(set) var settling: [LeaseToken] = []
    /// Forwards whose targets were busy: held and renewed until they are tried again.
    private(set) var deferred: [Settlement] = []
    private(set) var requested = 0
    /// The last reserve found nothing; ask again when the waker says so.
    private(set) var isDry = false
    /// That reserve had no free slot to offer: what has one attempt may wait for one.
    private var isDryForSlots = false
    private(set) var nextDue: Duration?
    /// A suspect is in hand or asked for: nothing else is taken (I6).
    private(set) var isExclusive = false
    private var suspectsWaiting = 0
    private var drainForSuspectsAt: Timestamp?
    private(set) var pausedUntil: Timestamp?
    /// Trips in a row that failed.
    private(set) var failures = 0
    private var sequence: UInt64 = 0
    /// Messages taken so far.
    var taken: UInt64 { sequence }
    /// Milliseconds a run takes, as a moving average; starts long, so that nothing is prefetched.
    private var averageRun = 1000.0

    init(concurrency: Int, batch: Int, prefetch: Int?, request: ReserveRequest) {
        self.concurrency = concurrency
        self.batch = batch
        self.fixedPrefetch = prefetch
        self.request = request
        self.slots = Array(repeating: nil, count: concurrency)
    }

    /// What runs, with its slot.
    private var running: some Sequence<(slot: Int, run: Run)> {
        slots.enumerated().lazy.compactMap { slot, run in run.map { (slot, $0) } }
    }

    /// Held messages that are neither settled nor about to be.
    ///
    /// What is deferred counts: a target that stays full slows this worker down instead of letting it
    /// lease the whole queue.
    var held: Int { runningCount + backlog.count + requested + deferred.count }

    var isIdle: Bool { held == 0 && unsettled.isEmpty && settling.isEmpty }

    /// Nothing is in flight that a suspect could harm or be blamed for (I6). What hangs has lost its
    /// lease, and would keep suspects waiting for ever.
    private var isAlone: Bool {
        held == hungCount && unsettled.isEmpty && settling.isEmpty
    }

    // MARK: What to do next

    mutating func nextStep(_ now: Timestamp, random: inout Xoshiro) -> Step {
        if let pausedUntil, now < pausedUntil {
            if phase == .graceOver { return .finish }
            return .wait(pausedUntil - now)
        }
        if phase != .working {
            if !unsettled.isEmpty { return .exchange(takeUnsettled(), nil) }
            let isDone = running.allSatisfy { $0.run.isAbandoned }
            let isSettled = settling.isEmpty && deferred.isEmpty && requested == 0
            return isDone && isSettled ? .finish : .wait(nil)
        }
        let waited = unsettledSince.map { now - $0 } ?? .zero
        let isDue = waited >= Self.settleDelay
        let mustSettle =
            !unsettled.isEmpty
            && (unsettled.count >= Self.settleBatch || isDue
                || runningCount == hungCount && backlog.isEmpty)
        if let request = nextRequest(now, wantsAny: mustSettle || isAlone, random: &random) {
            requested += request.count
            isExclusive = request.takesSuspects
            return .exchange(takeUnsettled(), request)
        }
        if mustSettle { return .exchange(takeUnsettled(), nil) }
        if !unsettled.isEmpty { return .wait(max(.milliseconds(1), Self.settleDelay - waited)) }
        return .wait(nil)
    }

    /// Whether ``nextStep(_:random:)`` would do anything; cheap, for those who wake lanes.
    func hasWork(_ now: Timestamp) -> Bool {
        if phase != .working { return true }
        if let pausedUntil, now < pausedUntil { return false }
        // The first one needs a lane that waits for its delay.
        if unsettled.count == 1 || unsettled.count >= Self.settleBatch { return true }
        if runningCount == hungCount && backlog.isEmpty { return true }
        if isDry || isExclusive || isQuiet { return false }
        return min(batch, concurrency + prefetch - held) >= reserveThreshold
    }

    private mutating func nextRequest(
        _ now: Timestamp, wantsAny: Bool, random: inout Xoshiro
    ) -> ReserveRequest? {
        if isQuiet { return nil }
        if isDry || isExclusive || isWaitingForSuspects(now, random: &random) { return nil }
        // Why: what is leased ahead waits for a slot, and all of them hang.
        if hungCount == concurrency { return nil }
        let want = min(batch, concurrency + prefetch - held)
        guard want >= (wantsAny ? 1 : reserveThreshold) else { return nil }
        var request = request
        request.count = want
        request.freeSlots = max(0, concurrency - held)
        request.takesSuspects = isAlone
        return request
    }

    /// A busy worker that hears of suspects stops taking messages after a random while, so that it
    /// becomes empty and may ask for one; few workers do so at once (I6).
    private mutating func isWaitingForSuspects(_ now: Timestamp, random: inout Xoshiro) -> Bool {
        guard suspectsWaiting > 0, !isAlone else {
            drainForSuspectsAt = nil
            return false
        }
        if drainForSuspectsAt == nil {
            let bound = max(1, request.lease.milliseconds / 6)
            drainForSuspectsAt = now + .milliseconds(Int64.random(in: 0...bound, using: &random))
        }
        return drainForSuspectsAt.map { now >= $0 } ?? false
    }

    /// How many must fit before the store is asked: few while slots stand empty, half a batch while what
    /// was leased ahead keeps them busy, since a trip costs the store the same for one as for many.
    private var reserveThreshold: Int {
        let isCovered = prefetch >= concurrency && !backlog.isEmpty
        return max(1, isCovered ? min(batch, concurrency) / 2 : min(batch, concurrency) / 4)
    }

    private var prefetch: Int {
        if let fixedPrefetch { return fixedPrefetch }
        return min(concurrency, Int(50 * Double(concurrency) / max(averageRun, 0.01)))
    }

    private mutating func takeUnsettled() -> [Settlement] {
        let taken: [Settlement]
        if unsettled.count <= batch {
            taken = unsettled
            unsettled = []
            unsettledSince = nil
        } else {
            taken = Array(unsettled.prefix(batch))
            unsettled.removeFirst(batch)
        }
        settling.append(contentsOf: taken.lazy.map(\.token))
        return taken
    }

    // MARK: What came back

    /// Takes in a reserve's messages; after a stop they go straight back.
    mutating func reserved(
        _ reservation: Reservation, to request: ReserveRequest, at now: Timestamp
    ) {
        requested -= request.count
        failures = 0
        pausedUntil = nil
        suspectsWaiting = reservation.suspectsWaiting
        if reservation.messages.isEmpty {
            isDryForSlots = request.freeSlots == 0
            // A slot that became free meanwhile may be what a message of one attempt waits for.
            isDry = !(isDryForSlots && held < concurrency)
            nextDue = reservation.nextDue.map { $0 - reservation.now }
        }
        let isSuspect = reservation.messages.first?.token.entry.isSuspect ?? false
        isExclusive = isExclusive && isSuspect
        for leased in reservation.messages {
            sequence += 1
            backlog.append((sequence, leased))
        }
        if phase != .working || isQuiet { releaseBacklog(at: now) }
    }

    mutating func reserveFailed(asked: Int, at now: Timestamp, random: inout Xoshiro) {
        requested -= asked
        isExclusive = false
        pause(at: now, random: &random)
    }

    mutating func settled(_ settlements: [Settlement]) {
        failures = 0
        pausedUntil = nil
        endSettling(settlements)
    }

    /// Nothing is known of these: they are sent again, which the store recognises (I12).
    mutating func settleFailed(
        _ settlements: [Settlement], at now: Timestamp, random: inout Xoshiro
    ) {
        endSettling(settlements)
        unsettled.insert(contentsOf: settlements, at: 0)
        unsettledSince = unsettledSince ?? now
        pause(at: now, random: &random)
    }

    private mutating func endSettling(_ settlements: [Settlement]) {
        if settling.count == settlements.count {
            settling.removeAll(keepingCapacity: true)
        } else {
            let ended = Set(settlements.lazy.map(\.token))
            settling.removeAll { ended.contains($0) }
        }
        leaveExclusive()
    }

    /// Once nothing is in flight others may come in again, and a suspect that waits is asked for.
    private mutating func leaveExclusive() {
        guard isAlone else { return }
        isExclusive = false
        if suspectsWaiting > 0 { isDry = false }
    }

    /// These can't be settled at all; nothing more is done about them and their leases run out.
    mutating func dropped(_ settlements: [Settlement]) { endSettling(settlements) }

    /// Keeps forwards whose targets are busy; true when somebody must ``retryDeferred(at:)`` later.
    mutating func deferForwards(_ settlements: [Settlement], at now: Timestamp) -> Bool {
        if phase == .graceOver {
            for settlement in settlements {
                settle(Settlement(settlement.token, .release), at: now)
            }
            return false
        }
        defer { deferred += settlements }
        return deferred.isEmpty && !settlements.isEmpty
    }

    /// Tries what was deferred again, as far as it is still held.
    mutating func retryDeferred(at now: Timestamp) {
        for settlement in deferred { settle(settlement, at: now) }
        deferred = []
    }

    /// Waits longer after each failure in a row, up to 5 s, with jitter.
    private mutating func pause(at now: Timestamp, random: inout Xoshiro) {
        failures = min(failures + 1, 10)
        let bound = min(5000, 50 << failures)
        pausedUntil =
            now + .milliseconds(Int64.random(in: Int64(bound) / 2...Int64(bound), using: &random))
    }

    // MARK: Slots

    /// Hands the next message to a slot.
    mutating func take(
        _ slot: Int, at now: Timestamp, timeout: (LeasedMessage) -> Duration
    ) -> Run? {
        guard phase == .working, let (sequence, leased) = backlog.popFirst() else { return nil }
        let timeoutAt = now + timeout(leased)
        let run = Run(
            sequence: sequence, leased: leased, startedAt: now, timeoutAt: timeoutAt,
            hardDeadline: timeoutAt + request.lease, lease: RunLease())
        slots[slot] = run
        runningCount += 1
        return run
    }

    /// A handler has returned; its verdict counts unless its end was decided before.
    ///
    /// Returns whether its slot may go on: one whose task was cancelled, or is about to be, may not,
    /// or the cancellation would hit the next message.
    mutating func finished(_ slot: Int, _ verdict: Verdict, at now: Timestamp) -> Bool {
        guard let run = slots[slot] else { return true }
        slots[slot] = nil
        runningCount -= 1
        if run.isHung { hungCount -= 1 }
        if isDryForSlots { isDry = false }
        finishedCount += 1
        switch verdict {
        case .retry, .reject: failedCount += 1
        case .ack, .release, .forward: break
        }
        averageRun += (Double((now - run.startedAt).milliseconds) - averageRun) / 16
        if !run.isAbandoned { settle(Settlement(run.leased.token, verdict), at: now) }
        // Why: the end of an abandoned run settles nothing, so nobody else would say so.
        leaveExclusive()
        return !run.isAbandoned && !run.isTimedOut
    }

    mutating func settle(_ settlement: Settlement, at now: Timestamp) {
        if unsettled.isEmpty { unsettledSince = now }
        unsettled.append(settlement)
    }

    // MARK: Leases and time

    /// Every token to renew, in the order they were reserved.
    func tokensToRenew(at now: Timestamp) -> [LeaseToken] {
        let runs = running.filter { !$0.run.isAbandoned && now < $0.run.hardDeadline }
            .sorted { $0.run.sequence < $1.run.sequence }
        return (unsettled + deferred).map(\.token) + runs.map(\.run.leased.token)
            + backlog.map(\.leased.token)
    }

    /// Forgets what was lost and is still in hand; returns the slots whose handlers must be told.
    mutating func lost(_ tokens: Set<LeaseToken>) -> (ids: [MessageID], slots: [Int]) {
        var ids = backlog.map(\.leased.token).filter(tokens.contains).map(\.id)
        ids += (unsettled + deferred).map(\.token).filter(tokens.contains).map(\.id)
        backlog.removeAll { tokens.contains($0.leased.token) }
        unsettled.removeAll { tokens.contains($0.token) }
        deferred.removeAll { tokens.contains($0.token) }
        var told: [Int] = []
        for (slot, run) in running where tokens.contains(run.leased.token) && !run.isAbandoned {
            run.lease.lose()
            slots[slot]?.isAbandoned = true
            ids.append(run.leased.token.id)
            told.append(slot)
        }
        leaveExclusive()
        return (ids, told)
    }

    /// Gives up on runs that are past their hard deadlines, each once: their handlers are told that
    /// the lease is lost, and what they return is dropped. Returns whom nobody had told before.
    mutating func hung(at now: Timestamp) -> [MessageID] {
        var ids: [MessageID] = []
        for (slot, run) in running where !run.isHung && now >= run.hardDeadline {
            slots[slot]?.isHung = true
            hungCount += 1
            if !run.isAbandoned {
                slots[slot]?.isAbandoned = true
                run.lease.lose()
                ids.append(run.leased.token.id)
            }
        }
        if hungCount == concurrency { releaseBacklog(at: now) }
        leaveExclusive()
        return ids
    }

    /// Marks runs that are over their time; returns their slots.
    mutating func timedOut(at now: Timestamp) -> [Int] {
        var late: [Int] = []
        for (slot, run) in running where !run.isTimedOut && now >= run.timeoutAt {
            slots[slot]?.isTimedOut = true
            late.append(slot)
        }
        return late
    }

    /// When ``timedOut(at:)`` or ``hung(at:)`` will find something next.
    func nextTimeout() -> Timestamp? {
        running.lazy.filter { !$0.run.isHung }
            .map { $0.run.isTimedOut ? $0.run.hardDeadline : $0.run.timeoutAt }.min()
    }

    func isTimedOut(_ slot: Int) -> Bool { slots[slot]?.isTimedOut ?? false }

    // MARK: Waking and stopping

    mutating func wake() {
        isDry = false
        isDryForSlots = false
        nextDue = nil
    }

    /// No more reserves until ``resume()``; what was not begun goes back, what runs goes on.
    mutating func quiet(at now: Timestamp) {
        isQuiet = true
        releaseBacklog(at: now)
    }

    mutating func resume() {
        isQuiet = false
        wake()
    }

    /// No more reserves; what was not begun goes back at once.
    mutating func stop(at now: Timestamp) {
        guard phase == .working else { return }
        phase = .stopping
        releaseBacklog(at: now)
    }

    /// What still runs goes back too, with no attempt used; returns the slots to cancel.
    mutating func endGrace(at now: Timestamp) -> [Int] {
        guard phase != .graceOver else { return [] }
        phase = .graceOver
        let left = running.filter { !$0.run.isAbandoned }.sorted {
            $0.run.sequence < $1.run.sequence
        }
        for (slot, run) in left {
            slots[slot]?.isAbandoned = true
            settle(Settlement(run.leased.token, .release), at: now)
        }
        for settlement in deferred { settle(Settlement(settlement.token, .release), at: now) }
        deferred = []
        return left.map(\.slot)
    }

    private mutating func releaseBacklog(at now: Timestamp) {
        for (_, leased) in backlog { settle(Settlement(leased.token, .release), at: now) }
        backlog.removeAll()
    }
}
