// SPDX-License-Identifier: Apache-2.0
import DequeModule

/// What a consumer holds: a value that decides what to ask the store for.
struct ConsumerState: Sendable {
    struct Held: Sendable {
        var token: LeaseToken
        var since: Timestamp
        var isSettling = false
    }

    let options: ConsumerOptions
    /// Leased ahead, by the kind they were asked for; nil is any kind.
    private var buffers: [Kind?: Deque<(leased: LeasedMessage, since: Timestamp)>] = [:]
    /// Handed out, in the order of the hand-out.
    private(set) var held: [Held] = []
    private(set) var buffered = 0
    private var refilling = 0
    /// A request that may bring a suspect is under way: nobody else asks before its answer (I6).
    private var isAskingAlone = false
    private(set) var suspectsWaiting = 0
    /// Milliseconds from hand-out to settle, as a moving average.
    private var averageRun = 1000.0
    private var nextUpkeep: Timestamp
    private(set) var isStopped = false
    var waiters: [Signal] = []

    init(options: ConsumerOptions, now: Timestamp) {
        self.options = options
        self.nextUpkeep = now
    }

    var isEmpty: Bool { held.isEmpty && buffered == 0 && refilling == 0 }

    /// A suspect runs alone: nothing is asked for or handed out beside it (I6).
    var isExclusive: Bool {
        isAskingAlone || held.contains { $0.token.entry.isSuspect }
            || buffers.values.contains { $0.first?.leased.token.entry.isSuspect == true }
    }

    mutating func stop() { isStopped = true }

    /// The next message that is already here.
    mutating func take(_ kind: Kind?, at now: Timestamp) -> LeasedMessage? {
        guard let leased = buffers[kind]?.popFirst()?.leased else { return nil }
        buffered -= 1
        held.append(Held(token: leased.token, since: now))
        return leased
    }

    /// What to ask for; `isRefill` is a request made while something is in hand.
    mutating func request(_ kind: Kind?, isRefill: Bool, worker: UInt32) -> ReserveRequest? {
        if isStopped || isExclusive { return nil }
        let ahead = min(options.prefetch, Int(50 / max(averageRun, 0.01)))
        let count: Int
        if isRefill {
            if refilling > 0 || suspectsWaiting > 0 { return nil }
            guard (buffers[kind]?.count ?? 0) <= ahead / 2 else { return nil }
            count = ahead - (buffers[kind]?.count ?? 0)
        } else {
            count = max(1, ahead)
        }
        guard count > 0 else { return nil }
        let isAlone = isEmpty
        isAskingAlone = isAlone
        refilling += 1
        return ReserveRequest(
            count, lease: options.lease, kinds: kind.map { [$0] },
            freeSlots: isRefill ? 0 : 1, takesSuspects: isAlone, worker: worker)
    }

    /// The buffer that messages of a kind go through; nil when none was asked for.
    func bufferKind(of hash: UInt32) -> Kind?? {
        for kind in buffers.keys where kind == nil || kind?.hash == hash { return .some(kind) }
        return .none
    }

    /// Takes in an answer; returns who waited for it.
    mutating func refilled(
        _ kind: Kind?, _ reservation: Reservation?, at now: Timestamp
    ) -> [Signal] {
        refilling -= 1
        // Why: while one asks alone nobody else does, so this is its answer.
        isAskingAlone = false
        if let reservation {
            suspectsWaiting = reservation.suspectsWaiting
            buffers[kind, default: []].append(
                contentsOf: reservation.messages.lazy.map { (leased: $0, since: now) })
            buffered += reservation.messages.count
        }
        return isExclusive ? [] : takeWaiters()
    }

    mutating func takeWaiters() -> [Signal] {
        defer { waiters = [] }
        return waiters
    }

    mutating func settling(_ token: LeaseToken, at now: Timestamp) {
        guard let index = held.firstIndex(where: { $0.token == token }) else { return }
        averageRun += (Double((now - held[index].since).milliseconds) - averageRun) / 8
        held[index].isSettling = true
    }

    mutating func settled(_ token: LeaseToken) { held.removeAll { $0.token == token } }

    /// True at most once per sixth of a lease: then it is this consumer's turn to reclaim.
    mutating func isUpkeepDue(_ now: Timestamp) -> Bool {
        guard now >= nextUpkeep else { return false }
        nextUpkeep = now + options.lease / 6
        return true
    }

    func tokensToRenew(at now: Timestamp) -> [LeaseToken] {
        held.filter { $0.isSettling || now < $0.since + options.maxRun }.map(\.token)
            + buffers.values.flatMap { $0.map(\.leased.token) }
    }

    /// What was leased ahead and nobody has asked for during a whole lease: others may want it.
    mutating func takeForgotten(at now: Timestamp) -> [LeasedMessage] {
        let limit = options.lease
        var forgotten: [LeasedMessage] = []
        for kind in buffers.keys {
            while let oldest = buffers[kind]?.first, oldest.since + limit <= now {
                forgotten.append(oldest.leased)
                buffers[kind]?.removeFirst()
            }
        }
        buffered -= forgotten.count
        return forgotten
    }

    /// Forgets what was lost; returns how many it held and was not settling.
    mutating func lost(_ tokens: Set<LeaseToken>) -> Int {
        let before = held.count + buffered
        held.removeAll { tokens.contains($0.token) && !$0.isSettling }
        for kind in buffers.keys { buffers[kind]?.removeAll { tokens.contains($0.leased.token) } }
        buffered = buffers.values.reduce(0) { $0 + $1.count }
        return before - held.count - buffered
    }

    /// Everything that was leased ahead, to be given back.
    mutating func takeBuffered() -> [LeasedMessage] {
        defer {
            buffers = [:]
            buffered = 0
        }
        return buffers.values.flatMap { $0.map(\.leased) }
    }
}
