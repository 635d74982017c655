// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos

/// A lane on its way to a client, with what its key has learnt.
package struct LaneDelivery: Sendable {
    package var lane: LeasedLane
    package var memory: LaneMemory

    package init(_ lane: LeasedLane, _ memory: LaneMemory) {
        self.lane = lane
        self.memory = memory
    }

    var size: Int {
        lane.points.reduce(memory.window.reduce(memory.state.count) { $0 + $1.size }) {
            $0 + $1.size
        }
    }
}

/// What one WorkLanes stream has been given, holds and owes; as ``WorkSession``, for lanes.
package struct LaneSession: Sendable {
    package struct Terms: Sendable {
        package var window = 100
        package var windowBytes = 256 << 10
        package var points = 16
        package var lease = Duration.seconds(30)
        package var worker: UInt32 = 0
        package var limit = 1000

        package init() {}
    }

    package enum Step: Sendable {
        case settle([LaneSettlement], thenReserve: LaneRequest?)
        case reserve(LaneRequest)
        case renew([LaneToken])
        case write(Godwit_V1_WorkLanesResponse, [LeasedLane])
        /// Back, as nobody works them.
        case release([LaneSettlement])
        case rest(until: Timestamp?, waitsForLanes: Bool)
        case end
    }

    /// What a client holds, and what is needed to fill in its commit.
    private struct Hold {
        var lane: LeasedLane
        var end: Timestamp
        var sizes: [Int]
    }

    private static let readAhead = 1000
    private static let bytes = 1 << 20
    /// How many windows are in memory at once.
    private static let batch = 16

    private let terms: Terms
    private var credits = 0
    private var held: [LaneToken: Hold] = [:]
    private var settlements: [LaneSettlement] = []
    private var renewals: [LaneToken] = []
    private var asked: [LaneToken] = []
    private var request: LaneRequest?
    private var answers: [(Godwit_V1_WorkLanesResponse, [LeasedLane])] = []
    private var writing: [LeasedLane] = []
    private var unsent: [LeasedLane] = []
    private var isStopped = false
    private var hasEnded = false
    private var isBroken = false
    private var isClosing = false
    private var saysClosing = false
    private var isDry = false
    private var nextDue: Timestamp?
    private var suspectsWaiting = 0
    private var failures = 0
    private var retryAt: Timestamp?

    package init(_ terms: Terms) { self.terms = terms }

    package var out: Int { held.count }

    package var isFull: Bool {
        settlements.count >= Self.readAhead || renewals.count >= Self.readAhead
    }

    package mutating func give(_ count: UInt32) {
        credits = min(credits + Int(count), Int(UInt32.max))
    }

    package mutating func settle(_ settlement: LaneSettlement) {
        settlements.append(filledIn(settlement))
    }

    package mutating func renew(_ token: LaneToken) { renewals.append(token) }
    package mutating func stop() { isStopped = true }
    package mutating func endInput() { hasEnded = true }
    package mutating func breakOff() { isBroken = true }
    package mutating func wake() { isDry = false }

    package mutating func close() {
        if isClosing { return }
        isClosing = true
        saysClosing = true
    }

    /// What the client left to the server: the newest id, and what the window keeps.
    private func filledIn(_ settlement: LaneSettlement) -> LaneSettlement {
        guard let hold = held[settlement.token] else { return settlement }
        var filled = settlement
        let points = hold.lane.points
        let handled = min(settlement.handled, points.count)
        if settlement.newest == .none {
            let passed = handled + (settlement.end == .skip ? 1 : 0)
            filled.newest = points.prefix(passed).reduce(hold.lane.newest) { max($0, $1.id) }
        }
        if handled > 0, settlement.windowCount == 0, settlement.windowBytes == 0 {
            let sizes = hold.sizes + points.prefix(handled).map(\.size)
            var bytes = 0
            var count = 0
            for size in sizes.reversed() {
                if count == terms.window || bytes + size > terms.windowBytes { break }
                bytes += size
                count += 1
            }
            // Why the whole window's count where all fits: the store then keeps as many from now on.
            filled.windowCount = count == sizes.count ? terms.window : count
            filled.windowBytes = bytes
        }
        return filled
    }

    // MARK: steps

    package mutating func next(at now: Timestamp) -> Step {
        expire(at: now)
        while !answers.isEmpty {
            let (answer, lanes) = answers.removeFirst()
            if isBroken {
                drop(lanes)
                continue
            }
            writing = lanes
            return .write(answer, lanes)
        }
        if !unsent.isEmpty {
            defer { unsent = [] }
            return .release(unsent.map { $0.given(back: .release) })
        }
        if saysClosing, !isBroken {
            saysClosing = false
            var answer = Godwit_V1_WorkLanesResponse()
            answer.closing = true
            return .write(answer, [])
        }
        if !renewals.isEmpty {
            asked = renewals
            renewals = []
            return .renew(asked)
        }
        if !settlements.isEmpty {
            let batch = settlements
            settlements = []
            asked = batch.map(\.token)
            request = nextRequest(at: now)
            return .settle(batch, thenReserve: request)
        }
        if isBroken || hasEnded || (isClosing && held.isEmpty) { return .end }
        request = nextRequest(at: now)
        if let request { return .reserve(request) }
        return rest
    }

    private var sendsNoMore: Bool { isBroken || hasEnded || isClosing || isStopped }

    private mutating func nextRequest(at now: Timestamp) -> LaneRequest? {
        if sendsNoMore || isDry || held.keys.contains(where: isSuspect) { return nil }
        if let retryAt, now < retryAt { return nil }
        let count = min(credits, terms.limit - held.count, Self.batch)
        guard count > 0 else { return nil }
        return LaneRequest(
            count, points: terms.points, bytes: Self.bytes, lease: terms.lease,
            takesSuspects: held.isEmpty, worker: terms.worker)
    }

    private func isSuspect(_ token: LaneToken) -> Bool { (held[token]?.lane.lost ?? 0) >= 2 }

    private var rest: Step {
        let end = held.values.lazy.map(\.end).min()
        guard !sendsNoMore, credits > 0 else { return .rest(until: end, waitsForLanes: false) }
        let until = [end, retryAt, isDry ? nextDue : nil].compactMap(\.self).min()
        return .rest(until: until, waitsForLanes: isDry && retryAt == nil)
    }

    private mutating func expire(at now: Timestamp) {
        for (token, hold) in held where hold.end <= now { held[token] = nil }
        if let due = nextDue, due <= now {
            nextDue = nil
            isDry = false
        }
        if held.isEmpty, suspectsWaiting > 0 { isDry = false }
    }

    private mutating func drop(_ lanes: [LeasedLane]) {
        for lane in lanes { held[lane.token] = nil }
        unsent += lanes
    }

    // MARK: results

    package mutating func settled(_ result: Result<[SettleOutcome], BrokerError>) {
        var answer = Godwit_V1_WorkLanesResponse()
        answer.settled = outcomes(result, &answer)
        if case .success(let outcomes) = result {
            for (token, outcome) in zip(asked, outcomes) where outcome != .targetBusy {
                held[token] = nil
            }
        }
        answers.append((answer, []))
    }

    package mutating func renewed(
        _ result: Result<[SettleOutcome], BrokerError>, at now: Timestamp
    ) {
        var answer = Godwit_V1_WorkLanesResponse()
        answer.renewed = outcomes(result, &answer)
        if case .success(let outcomes) = result {
            for (token, outcome) in zip(asked, outcomes) {
                if outcome == .done {
                    held[token]?.end = now + terms.lease
                } else {
                    held[token] = nil
                }
            }
        }
        answers.append((answer, []))
    }

    private func outcomes(
        _ result: Result<[SettleOutcome], BrokerError>, _ answer: inout Godwit_V1_WorkLanesResponse
    ) -> [Godwit_V1_Outcome] {
        switch result {
        case .success(let outcomes): return outcomes.map(\.wire)
        case .failure(let error):
            answer.failure = Godwit_V1_Failure(error)
            return asked.map { _ in .unknown }
        }
    }

    /// `wire` writes a delivery as the client is to see it.
    package mutating func reserved(
        _ result: Result<(LaneReservation, [LaneDelivery]), BrokerError>, at now: Timestamp,
        _ wire: (LaneDelivery) -> Godwit_V1_LeasedLane
    ) {
        guard let request else { return }
        self.request = nil
        let (reservation, lanes): (LaneReservation, [LaneDelivery])
        switch result {
        case .success(let value): (reservation, lanes) = value
        case .failure(let error):
            failures += 1
            retryAt = now + .milliseconds(100 << min(failures - 1, 6))
            var answer = Godwit_V1_WorkLanesResponse()
            answer.failure = Godwit_V1_Failure(error)
            answers.append((answer, []))
            return
        }
        failures = 0
        retryAt = nil
        suspectsWaiting = reservation.suspectsWaiting
        nextDue = reservation.nextDue
        isDry = lanes.count < request.lanes
        if lanes.isEmpty, held.isEmpty, suspectsWaiting > 0, !request.takesSuspects {
            isDry = false
        } else if held.isEmpty, request.takesSuspects {
            suspectsWaiting = 0
        }
        if sendsNoMore {
            unsent += lanes.map(\.lane)
            return
        }
        credits -= lanes.count
        var part = Godwit_V1_WorkLanesResponse()
        var inPart: [LeasedLane] = []
        var size = 0
        for delivery in lanes {
            let lane = delivery.lane
            held[lane.token] = Hold(
                lane: lane, end: reservation.deadline, sizes: delivery.memory.window.map(\.size))
            if !inPart.isEmpty, size + delivery.size > Self.bytes {
                answers.append((part, inPart))
                (part, inPart, size) = (Godwit_V1_WorkLanesResponse(), [], 0)
            }
            part.lanes.append(wire(delivery))
            part.nowMs = reservation.now.wire
            part.deadlineMs = reservation.deadline.wire
            inPart.append(lane)
            size += delivery.size
        }
        if !inPart.isEmpty { answers.append((part, inPart)) }
    }

    package mutating func wrote(_ isOnItsWay: Bool) {
        defer { writing = [] }
        guard !isOnItsWay else { return }
        isBroken = true
        drop(writing)
    }
}

extension LeasedLane {
    /// A commit of nothing.
    func given(back end: LaneEnd) -> LaneSettlement {
        LaneSettlement(
            token, handled: 0, newest: newest, windowCount: 0, windowBytes: 0, end: end)
    }
}
