// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos

/// What one Work stream has been given, holds and owes: it decides, and ``WorkDesk`` does.
///
/// One step at a time: ``next(at:)`` says which, and its result is told before the next one is asked for.
/// So outcomes leave in the order in which their questions came. What is out is never more than the
/// credits that were given, nor than the door's limit; what was reserved and can't be sent is released.
package struct WorkSession: Sendable {
    /// What a stream was opened with, and what the door holds it to.
    package struct Terms: Sendable {
        package var kinds: [Kind]?
        package var lease: Duration
        package var worker: UInt32
        /// The most messages that are out at once.
        package var limit: Int
        /// The most messages of one trip to the store.
        package var batch: Int

        package init(
            kinds: [Kind]? = nil, lease: Duration = .seconds(30), worker: UInt32 = 0,
            limit: Int = 1000, batch: Int = 256
        ) {
            self.kinds = kinds
            self.lease = lease
            self.worker = worker
            self.limit = max(1, limit)
            self.batch = max(1, min(batch, WireLimits.reserve))
        }
    }

    package enum Step: Sendable {
        /// Tell ``settled(_:at:)``, and ``reserved(_:at:)`` too where it reserves.
        case settle([Settlement], thenReserve: ReserveRequest?)
        case reserve(ReserveRequest)
        case renew([LeaseToken])
        case keep([Checkpoint])
        /// Needs no result.
        case release([Settlement])
        /// Tell ``wrote(_:)``.
        case write(WorkAnswer)
        case rest(Rest)
        /// The stream is over.
        case end
    }

    /// What to rest for, beside news of the client.
    package struct Rest: Sendable, Hashable {
        /// Until there may be something to hand out.
        package var waitsForMessages = false
        package var nextDue: Timestamp?
        /// Something is out.
        package var isBusy = false
        /// Or until this moment.
        package var until: Timestamp?
    }

    /// Read at most so many entries ahead of what the store has answered.
    private static let readAhead = 1000
    private static let bytes = 1 << 20

    private let terms: Terms
    private var random: Xoshiro

    /// Given and not yet used.
    private var credits = 0
    /// What is out, and until when.
    private var held: [LeaseToken: Timestamp] = [:]
    private var heldUntil = Timestamp.latest

    // Of the client, in its order; nil for what is no token.
    private var settlements: [Settlement?] = []
    private var renewals: [LeaseToken?] = []
    private var checkpoints: [Checkpoint?] = []
    /// The batch that the store has now.
    private var asked: [LeaseToken?] = []
    private var request: ReserveRequest?
    private var writing: WorkAnswer?

    private var answers: [WorkAnswer] = []
    private var unsent: [LeaseToken] = []

    private var isStopped = false
    private var hasEnded = false
    private var isBroken = false
    private var isClosing = false
    private var saysClosing = false

    /// The store had nothing more: wait until it says that it has.
    private var isDry = false
    private var nextDue: Timestamp?
    private var suspectsWaiting = 0
    private var drainsAt: Timestamp?
    /// A suspect is out: nothing goes out beside it (I6).
    private var isExclusive = false
    private var failures = 0
    private var retryAt: Timestamp?

    package init(_ terms: Terms, seed: UInt64 = .random(in: 0 ... .max)) {
        self.terms = terms
        random = Xoshiro(seed: seed)
    }

    package var out: Int { held.count }

    /// Nothing more should be read for now.
    package var isFull: Bool {
        settlements.count >= Self.readAhead || renewals.count >= Self.readAhead
            || checkpoints.count >= Self.readAhead
    }

    // MARK: what the client says

    package mutating func take(_ input: WorkInput) {
        // Why a bound: what was given may be absurd, and is added up.
        credits = min(credits + input.credits, Int(UInt32.max))
        settlements += input.settlements
        renewals += input.renewals
        checkpoints += input.checkpoints
        if input.stops { isStopped = true }
    }

    /// The client closed its half: it hears what it asked for, and then the end.
    package mutating func endInput() { hasEnded = true }

    /// The connection is gone: what was asked for is still done, for nobody to hear.
    package mutating func breakOff() { isBroken = true }

    // MARK: what the server says

    /// The server ends: no more deliveries, and the end once nothing is out.
    package mutating func close() {
        if isClosing { return }
        isClosing = true
        saysClosing = true
    }

    /// There may be something to hand out.
    package mutating func wake() { isDry = false }

    // MARK: steps

    package mutating func next(at now: Timestamp) -> Step {
        expire(at: now)
        if let step = nextAnswer() { return step }
        if saysClosing, !isBroken {
            saysClosing = false
            var answer = WorkAnswer()
            answer.isClosing = true
            return write(answer)
        }
        if !renewals.isEmpty {
            asked = renewals
            renewals = []
            let tokens = asked.compactMap(\.self)
            if !tokens.isEmpty { return .renew(tokens) }
            renewed(.success([]), at: now)
            return next(at: now)
        }
        if !checkpoints.isEmpty {
            let batch = checkpoints.compactMap(\.self)
            asked = checkpoints.map { $0?.token }
            checkpoints = []
            if !batch.isEmpty { return .keep(batch) }
            kept(.success([]))
            return next(at: now)
        }
        if !settlements.isEmpty {
            let batch = settlements.compactMap(\.self)
            asked = settlements.map { $0?.token }
            settlements = []
            if batch.isEmpty {
                settled(.success([]), at: now)
                return next(at: now)
            }
            request = nextRequest(at: now)
            return .settle(batch, thenReserve: request)
        }
        if isOver { return .end }
        request = nextRequest(at: now)
        if let request { return .reserve(request) }
        return .rest(rest)
    }

    private mutating func nextAnswer() -> Step? {
        while !answers.isEmpty {
            let answer = answers.removeFirst()
            if !isBroken { return write(answer) }
            drop(answer)
        }
        if unsent.isEmpty { return nil }
        defer { unsent = [] }
        return .release(unsent.map { Settlement($0, .release) })
    }

    private mutating func write(_ answer: WorkAnswer) -> Step {
        writing = answer
        return .write(answer)
    }

    private mutating func drop(_ answer: WorkAnswer) {
        for message in answer.deliveries {
            held[message.token] = nil
            unsent.append(message.token)
        }
    }

    private var isOver: Bool { isBroken || hasEnded || (isClosing && held.isEmpty) }

    private var sendsNoMore: Bool { isBroken || hasEnded || isClosing || isStopped }

    private mutating func nextRequest(at now: Timestamp) -> ReserveRequest? {
        if let retryAt {
            if now < retryAt { return nil }
            self.retryAt = nil
        }
        if sendsNoMore || isDry || isExclusive || isDraining(at: now) { return nil }
        let count = min(credits, terms.limit - held.count, terms.batch)
        guard count > 0 else { return nil }
        return ReserveRequest(
            count, bytes: Self.bytes, lease: terms.lease, kinds: terms.kinds,
            takesSuspects: held.isEmpty, worker: terms.worker)
    }

    /// A busy stream that hears of suspects takes no more after a random while, so that once nothing is out
    /// it can take one; random, so that not all streams of a queue do so at once.
    private mutating func isDraining(at now: Timestamp) -> Bool {
        guard suspectsWaiting > 0, !held.isEmpty else {
            drainsAt = nil
            return false
        }
        if drainsAt == nil {
            let bound = max(1, terms.lease.milliseconds)
            drainsAt = now + .milliseconds(Int64.random(in: 0...bound, using: &random))
        }
        return drainsAt.map { now >= $0 } ?? false
    }

    private var rest: Rest {
        var rest = Rest()
        rest.isBusy = !held.isEmpty
        if rest.isBusy { rest.until = heldUntil }
        guard !sendsNoMore, !isExclusive, credits > 0, held.count < terms.limit else { return rest }
        if let retryAt {
            rest.until = min(rest.until ?? retryAt, retryAt)
        } else if isDry {
            rest.waitsForMessages = true
            rest.nextDue = nextDue
        }
        return rest
    }

    /// What was settled elsewhere, or never, is not out any more when its lease has run out.
    private mutating func expire(at now: Timestamp) {
        guard now >= heldUntil else { return }
        held = held.filter { $0.value > now }
        heldUntil = held.values.min() ?? .latest
        freed()
    }

    private mutating func freed() {
        guard held.isEmpty else { return }
        heldUntil = .latest
        if isExclusive || suspectsWaiting > 0 { isDry = false }
        isExclusive = false
    }

    // MARK: results

    package mutating func settled(
        _ result: Result<[SettleOutcome], BrokerError>, at now: Timestamp
    ) {
        var answer = WorkAnswer()
        answer.settled = outcomes(result) { token, outcome, held in
            if outcome != .targetBusy { held[token] = nil }
        }
        answer.failure = result.failure
        answers.append(answer)
        freed()
    }

    package mutating func renewed(
        _ result: Result<[SettleOutcome], BrokerError>, at now: Timestamp
    ) {
        let end = now + terms.lease
        var answer = WorkAnswer()
        answer.renewed = outcomes(result) { token, outcome, held in
            guard let old = held[token] else { return }
            held[token] = outcome == .done ? max(old, end) : nil
        }
        answer.failure = result.failure
        answers.append(answer)
        freed()
    }

    package mutating func kept(_ result: Result<[SettleOutcome], BrokerError>) {
        var answer = WorkAnswer()
        answer.kept = outcomes(result) { _, _, _ in }
        answer.failure = result.failure
        answers.append(answer)
    }

    private mutating func outcomes(
        _ result: Result<[SettleOutcome], BrokerError>,
        _ note: (LeaseToken, SettleOutcome, inout [LeaseToken: Timestamp]) -> Void
    ) -> [Godwit_V1_Outcome] {
        defer { asked = [] }
        var place = 0
        return asked.map { token in
            guard let token else { return .stale }
            guard case .success(let outcomes) = result, place < outcomes.count else {
                return .unknown
            }
            let outcome = outcomes[place]
            place += 1
            note(token, outcome, &held)
            return outcome.wire
        }
    }

    package mutating func reserved(
        _ result: Result<Reservation, BrokerError>, at now: Timestamp
    ) {
        guard let request else { return }
        self.request = nil
        switch result {
        case .success(let reservation):
            failures = 0
            retryAt = nil
            reserved(reservation, request)
        case .failure(let error):
            failures += 1
            let longest = Int64(100) << Int64(min(failures - 1, 6))
            retryAt = now + .milliseconds(Int64.random(in: longest / 2...longest, using: &random))
            var answer = WorkAnswer()
            answer.failure = error
            answers.append(answer)
        }
    }

    private mutating func reserved(_ reservation: Reservation, _ request: ReserveRequest) {
        let messages = reservation.messages
        suspectsWaiting = reservation.suspectsWaiting
        nextDue = reservation.nextDue
        let hasMissedSuspects = suspectsWaiting > 0 && held.isEmpty && !request.takesSuspects
        // Why only then: a store may hand out less than was asked for while there is more.
        isDry = messages.isEmpty && !hasMissedSuspects
        if messages.isEmpty { return }
        if sendsNoMore {
            unsent += messages.map(\.token)
            return
        }
        credits -= messages.count
        for message in messages { held[message.token] = reservation.deadline }
        heldUntil = min(heldUntil, reservation.deadline)
        isExclusive = messages.contains { $0.token.entry.isSuspect }
        // Why into the last one: one write for a trip that settled and reserved.
        var answer = WorkAnswer()
        if let last = answers.last, last.failure == nil { answer = answers.removeLast() }
        answer.deliveries = messages
        answer.now = reservation.now
        answer.deadline = reservation.deadline
        answers.append(answer)
    }

    /// Whether what was to be written is on its way.
    package mutating func wrote(_ isOnItsWay: Bool) {
        defer { writing = nil }
        guard !isOnItsWay else { return }
        isBroken = true
        if let writing { drop(writing) }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { return error }
        return nil
    }
}
