// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import Testing

/// A client, a store and a connection that do anything in any order, and what must hold all the time.
struct Game {
    let limit = 40
    var session: WorkSession
    var random: Xoshiro
    let seed: UInt64
    var now = Timestamp(milliseconds: 1_000_000)
    /// Messages that the store would hand out.
    var ready = 0

    private var lastID: UInt64 = 0
    private var given = 0
    /// Came out of the store and has not yet gone anywhere.
    private var reserved: Set<LeaseToken> = []
    /// In the client's hands.
    private var out: [LeaseToken] = []
    private var sent = 0
    private var settled: [Godwit_V1_Outcome] = []
    private var renewed: [Godwit_V1_Outcome] = []
    private var kept: [Godwit_V1_Outcome] = []
    /// What the store said, for what was asked in this order.
    private var expectedSettled: [Godwit_V1_Outcome] = []
    private var askedSettled: [LeaseToken?] = []
    private var askedRenewed: [LeaseToken?] = []
    private var askedKept: [LeaseToken?] = []
    private var isStopped = false
    private var isBroken = false
    private(set) var hasEnded = false

    init(seed: UInt64) {
        self.seed = seed
        random = Xoshiro(seed: seed)
        session = WorkSession(WorkSession.Terms(limit: 40, batch: 16), seed: seed)
    }

    static let failure = BrokerError.unavailable(
        BrokerError.Problem(what: "test", location: "here", cause: "a test", advice: "none"))

    static func token(_ number: UInt64, lost: UInt8 = 0) -> LeaseToken {
        let time = Timestamp(milliseconds: 1_000_000)
        return LeaseToken(
            entry: Entry(
                id: MessageID(high: number, low: number), kindHash: 1, maxAttempts: 255,
                insertedAt: time, readyAt: time, lost: lost), executedAt: time, nonce: number)
    }

    static func reservation(
        _ tokens: [LeaseToken], at now: Timestamp, suspects: Int = 0
    ) -> Reservation {
        Reservation(
            now: now, deadline: now + .seconds(30),
            messages: tokens.map { LeasedMessage(token: $0, body: [1]) }, suspectsWaiting: suspects)
    }

    mutating func play(rounds: Int) {
        for _ in 0..<rounds where !hasEnded {
            now = now + .milliseconds(Int64.random(in: 0...400, using: &random))
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<20:
                ready += Int.random(in: 0...30, using: &random)
                session.wake()
            case 98 where Int.random(in: 0..<20, using: &random) == 0:
                isStopped = true
                var input = WorkInput()
                input.stops = true
                session.take(input)
            default: session.take(input())
            }
            run()
        }
    }

    mutating func say(_ input: WorkInput) {
        given += input.credits
        session.take(input)
        run()
    }

    /// The client goes, in one way or another: all that came out of the store has gone somewhere.
    mutating func finish() {
        if Bool.random(using: &random) {
            session.endInput()
        } else {
            isBroken = true
            session.breakOff()
        }
        run()
        #expect(hasEnded, "seed \(seed)")
        #expect(reserved.isEmpty, "seed \(seed): reserved, and neither sent nor released")
        if !isBroken {
            #expect(settled.count == askedSettled.count, "seed \(seed)")
            #expect(renewed.count == askedRenewed.count, "seed \(seed)")
            #expect(kept.count == askedKept.count, "seed \(seed)")
        }
        while expectedSettled.count < askedSettled.count,
            askedSettled[expectedSettled.count] == nil
        {
            expectedSettled.append(.stale)
        }
        #expect(
            settled == Array(expectedSettled.prefix(settled.count)), "seed \(seed): out of order")
    }

    private mutating func input() -> WorkInput {
        var input = WorkInput()
        if Int.random(in: 0..<3, using: &random) == 0 {
            input.credits = Int.random(in: 0...20, using: &random)
            given += input.credits
        }
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: input.settlements.append(nil)
            case 1: input.settlements.append(Settlement(Game.token(1 << 40), .ack))
            default:
                if let token = out.randomElement(using: &random) {
                    input.settlements.append(Settlement(token, .ack))
                }
            }
        }
        askedSettled += input.settlements.map { $0?.token }
        if Int.random(in: 0..<4, using: &random) == 0 {
            input.renewals = [out.randomElement(using: &random), nil]
            askedRenewed += input.renewals
        }
        if Int.random(in: 0..<8, using: &random) == 0 {
            input.checkpoints = [out.randomElement(using: &random).map { Checkpoint($0, [1]) }]
            askedKept += input.checkpoints.map { $0?.token }
        }
        return input
    }

    /// Does what the session says until it rests.
    private mutating func run() {
        for _ in 0..<10_000 {
            check()
            switch session.next(at: now) {
            case .settle(let batch, let request):
                settle(batch)
                if let request { reserve(request) }
            case .reserve(let request): reserve(request)
            case .renew(let tokens): session.renewed(answer(tokens), at: now)
            case .keep(let batch): session.kept(answer(batch.map(\.token)))
            case .release(let batch):
                for settlement in batch {
                    #expect(
                        reserved.remove(settlement.token) != nil, "seed \(seed): released twice")
                }
            case .write(let answer): write(answer)
            case .rest: return
            case .end:
                hasEnded = true
                return
            }
        }
        Issue.record("seed \(seed): the session turns without rest")
    }

    private func check() {
        #expect(session.out <= limit, "seed \(seed): \(session.out) are out")
        #expect(sent + reserved.count <= given, "seed \(seed): more out than credits given")
    }

    private mutating func answer(
        _ tokens: [LeaseToken]
    ) -> Result<[SettleOutcome], BrokerError> {
        if Int.random(in: 0..<8, using: &random) == 0 { return .failure(Game.failure) }
        return .success(tokens.map { out.contains($0) ? .done : .stale })
    }

    private mutating func settle(_ batch: [Settlement]) {
        // The places of what is no token are answered too.
        var known = batch.map(\.token)[...]
        let fails = Int.random(in: 0..<8, using: &random) == 0
        var outcomes: [SettleOutcome] = []
        while expectedSettled.count < askedSettled.count {
            guard let token = askedSettled[expectedSettled.count] else {
                expectedSettled.append(.stale)
                continue
            }
            guard token == known.first else { break }
            known.removeFirst()
            if fails {
                expectedSettled.append(.unknown)
                continue
            }
            var outcome = SettleOutcome.stale
            if let place = out.firstIndex(of: token) {
                outcome = Int.random(in: 0..<9, using: &random) == 0 ? .targetBusy : .done
                if outcome == .done { out.remove(at: place) }
            }
            outcomes.append(outcome)
            expectedSettled.append(outcome.wire)
        }
        #expect(known.isEmpty, "seed \(seed): settled what was not asked for, or not in order")
        session.settled(fails ? .failure(Game.failure) : .success(outcomes), at: now)
    }

    private mutating func reserve(_ request: ReserveRequest) {
        #expect(!isStopped && !isBroken, "seed \(seed): reserved for nobody")
        if Int.random(in: 0..<10, using: &random) == 0 {
            return session.reserved(.failure(Game.failure), at: now)
        }
        let count = min(ready, request.count)
        ready -= count
        let tokens = (0..<count).map { _ in
            lastID += 1
            return Game.token(lastID)
        }
        reserved.formUnion(tokens)
        // The client may say its last word while the store hands out.
        if Int.random(in: 0..<200, using: &random) == 0 {
            isStopped = true
            var input = WorkInput()
            input.stops = true
            session.take(input)
        }
        session.reserved(.success(Game.reservation(tokens, at: now)), at: now)
    }

    private mutating func write(_ answer: WorkAnswer) {
        #expect(!isBroken, "seed \(seed): written to nobody")
        if Int.random(in: 0..<400, using: &random) == 0 {
            isBroken = true
            return session.wrote(false)
        }
        for message in answer.deliveries {
            #expect(reserved.remove(message.token) != nil, "seed \(seed): sent twice")
            out.append(message.token)
            sent += 1
        }
        settled += answer.settled
        renewed += answer.renewed
        kept += answer.kept
        session.wrote(true)
    }
}
