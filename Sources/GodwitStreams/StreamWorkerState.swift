// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Godwit

/// Decides what a stream's worker does next; does none of it.
///
///     reserve ─► backlog ─► running (one per slot) ─► outbox ─► commit
struct StreamWorkerState: Sendable {
    /// A key in the worker's hands.
    struct Held: Sendable {
        var token: LaneToken
        var since: Timestamp
        var lease: LaneLease
    }

    /// A key that waits for a slot, with what the store told of it where it was not remembered.
    struct Work: Sendable {
        var lane: LeasedLane
        var memory: LaneMemory?
        var lease: LaneLease
    }

    enum Phase: Sendable {
        case working, stopping
    }

    enum Step: Sendable {
        case exchange([LaneSettlement], LaneRequest?)
        /// Until something happens, or for so long.
        case wait(Duration?)
        case finish
    }

    let concurrency: Int
    let options: StreamWorkerOptions
    let number: UInt32

    var phase = Phase.working
    var backlog = Deque<Work>()
    var running = 0
    private(set) var outbox: [LaneSettlement] = []
    private var outboxSince: Timestamp?
    /// Commits on their way, and those that wait for room at a target.
    private var settling = 0
    private var deferred = 0
    private var reserving = 0
    private(set) var held: [LaneToken: Held] = [:]
    /// The store had nothing for us; the waker says when to ask again.
    var isDry = false
    var nextDue: Timestamp?
    private var suspectsWaiting = 0
    /// A suspect is in hand: nothing else is taken until it is settled (I6).
    private var isExclusive = false
    private var failures = 0
    private var heldUntil: Timestamp?
    /// Milliseconds that a key took lately.
    private var pace = 1.0
    var hasWorked = false

    init(concurrency: Int, options: StreamWorkerOptions, number: UInt32) {
        self.concurrency = concurrency
        self.options = options
        self.number = number
    }

    /// Nothing in hand and nothing on its way.
    var isIdle: Bool {
        backlog.isEmpty && running == 0 && outbox.isEmpty && settling == 0 && deferred == 0
            && reserving == 0
    }

    /// Results wait no longer than this for company.
    static let gather = Duration.milliseconds(2)
    static let commit = StreamLimits.lanes

    // MARK: Steps of an exchange

    mutating func nextStep(_ now: Timestamp) -> Step {
        if phase == .stopping { releaseBacklog() }
        if let until = heldUntil, until > now { return .wait(until - now) }
        let request = nextRequest()
        let isRipe =
            outbox.count >= Self.commit / 2 || (running == 0 && backlog.isEmpty)
            || outboxSince.map { now - $0 >= Self.gather } == true
        if !outbox.isEmpty, isRipe || request != nil {
            let part = Array(outbox.prefix(Self.commit))
            outbox.removeFirst(part.count)
            outboxSince = outbox.isEmpty ? nil : now
            settling += part.count
            if request != nil { reserving += 1 }
            return .exchange(part, request)
        }
        if let request {
            reserving += 1
            return .exchange([], request)
        }
        if phase == .stopping, isIdle { return .finish }
        return .wait(outboxSince.map { max(.zero, Self.gather - (now - $0)) })
    }

    /// Whether an exchange that sleeps has something to do now.
    func wantsExchange(_ now: Timestamp) -> Bool {
        // The first result wakes one, which sets the timer for the rest.
        outbox.count == 1 || outbox.count >= Self.commit / 2 || (running == 0 && backlog.isEmpty)
            || (reserving == 0 && !isDry && backlog.count <= concurrency / 2)
    }

    private mutating func nextRequest() -> LaneRequest? {
        guard phase == .working, !isExclusive, !isDry, reserving == 0 else { return nil }
        // Prefetch at most 50 ms of work, so that other workers get their share of slow points.
        let ahead = min(options.batch, Int(50 * Double(concurrency) / max(pace, 0.01)))
        let room = max(concurrency - running, ahead) - backlog.count
        guard room > 0, backlog.count <= ahead / 2 || running < concurrency else { return nil }
        var request = LaneRequest(
            min(room, options.batch), points: options.pointsPerHold, lease: options.lease,
            worker: number)
        if suspectsWaiting > 0 {
            // A suspect runs alone: what is in hand ends first, then it goes out.
            guard isIdle else { return nil }
            request.takesSuspects = true
        }
        return request
    }

    private mutating func releaseBacklog() {
        for work in backlog { outbox.append(.release(work.lane)) }
        backlog = []
    }

    // MARK: What came of it

    mutating func reserved(_ reservation: LaneReservation, _ request: LaneRequest, _ now: Timestamp)
        -> [Work]
    {
        reserving -= 1
        failures = 0
        heldUntil = nil
        suspectsWaiting = reservation.suspectsWaiting
        nextDue = reservation.nextDue
        isDry = reservation.lanes.isEmpty && suspectsWaiting == 0
        if request.takesSuspects, reservation.lanes.isEmpty { isDry = true }
        if reservation.lanes.contains(where: { $0.lost >= 2 }) { isExclusive = true }
        if !reservation.lanes.isEmpty { hasWorked = true }
        return reservation.lanes.map { lane in
            let lease = LaneLease()
            held[lane.token] = Held(token: lane.token, since: now, lease: lease)
            return Work(lane: lane, lease: lease)
        }
    }

    mutating func reserveFailed(_ now: Timestamp, jitter: Double) {
        reserving -= 1
        backOff(now, jitter)
    }

    /// A slot takes the next key.
    mutating func take() -> Work? {
        guard phase == .working, let work = backlog.popFirst() else { return nil }
        running += 1
        return work
    }

    mutating func finished(_ settlement: LaneSettlement, took: Duration, _ now: Timestamp) {
        running -= 1
        pace = 0.9 * pace + 0.1 * max(0.001, took / .milliseconds(1))
        add(settlement, now)
    }

    mutating func add(_ settlement: LaneSettlement, _ now: Timestamp) {
        outbox.append(settlement)
        if outboxSince == nil { outboxSince = now }
    }

    mutating func settled(_ settlements: [LaneSettlement], _ outcomes: [SettleOutcome]) {
        settling -= settlements.count
        failures = 0
        for (settlement, outcome) in zip(settlements, outcomes) {
            if outcome == .targetBusy {
                deferred += 1
            } else {
                held[settlement.token] = nil
            }
        }
        if isExclusive, held.isEmpty { isExclusive = false }
        if held.isEmpty, suspectsWaiting > 0 { isDry = false }
    }

    /// The target may have room now.
    mutating func retryDeferred(_ settlement: LaneSettlement, _ now: Timestamp) {
        deferred -= 1
        add(settlement, now)
    }

    mutating func settleFailed(_ settlements: [LaneSettlement], _ now: Timestamp, jitter: Double) {
        settling -= settlements.count
        outbox.insert(contentsOf: settlements, at: 0)
        outboxSince = now
        backOff(now, jitter)
    }

    private mutating func backOff(_ now: Timestamp, _ jitter: Double) {
        failures = min(failures + 1, 8)
        heldUntil = now + .milliseconds(Int64(Double(25 << failures) * (0.5 + jitter / 2)))
    }

    // MARK: Leases

    /// Those to renew: a hold that lasts longer than it may is left to run out.
    func tokensToRenew(_ now: Timestamp) -> [LaneToken] {
        held.values.filter { now - $0.since < options.maxHold }.map(\.token)
    }

    /// Their holders go on, but nothing of it counts.
    mutating func lost(_ tokens: [LaneToken]) -> Int {
        var count = 0
        for token in tokens {
            guard let held = held.removeValue(forKey: token) else { continue }
            held.lease.lose()
            count += 1
        }
        let stale = Set(tokens)
        backlog.removeAll { stale.contains($0.lane.token) }
        if held.isEmpty { isExclusive = false }
        return count
    }
}

extension LaneSettlement {
    /// Gives a key back untouched.
    static func release(_ lane: LeasedLane) -> LaneSettlement {
        LaneSettlement(
            lane.token, handled: 0, newest: lane.newest, windowCount: 0, windowBytes: 0,
            end: .release)
    }
}
