// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

@Suite struct `A stream worker's state` {
    private let start = VirtualClock().now()

    private static func lane(_ key: String, lost: Int = 0) -> LeasedLane {
        LeasedLane(
            token: LaneToken(key: key, nonce: 1), position: 0, birth: 1, newest: .none, lost: lost,
            points: [StoredPoint(id: PointID(rawValue: 1), body: [1])])
    }

    private static func commit(_ lane: LeasedLane, _ end: LaneEnd = .next) -> LaneSettlement {
        LaneSettlement(
            lane.token, handled: 1, newest: .none, windowCount: 1, windowBytes: 1, end: end)
    }

    /// A worker with its decisions, and what a test does with them.
    private struct Hand {
        var state: StreamWorkerState
        var random = Xoshiro(seed: 7)
        var now: Timestamp

        init(_ slots: Int = 2, at now: Timestamp, _ options: StreamWorkerOptions = .quick) {
            state = StreamWorkerState(concurrency: slots, options: options, number: 1)
            self.now = now
        }

        mutating func step() -> StreamWorkerState.Step { state.nextStep(now, random: &random) }

        mutating func request() -> LaneRequest? {
            if case .exchange(_, let request) = step() { return request }
            return nil
        }

        mutating func commits() -> [LaneSettlement] {
            if case .exchange(let commits, _) = step() { return commits }
            return []
        }

        var finishes: Bool {
            var copy = self
            if case .finish = copy.step() { return true }
            return false
        }

        mutating func reserve(_ lanes: [LeasedLane], suspects: Int = 0) -> [StreamWorkerState.Work]
        {
            guard let request = request() else {
                Issue.record("the worker asks for nothing")
                return []
            }
            return state.reserved(
                LaneReservation(now: now, deadline: now, lanes: lanes, suspectsWaiting: suspects),
                request)
        }

        /// Reserves, loads and begins keys.
        mutating func begin(_ lanes: [LeasedLane], suspects: Int = 0) {
            let work = reserve(lanes, suspects: suspects)
            state.loaded(work, of: lanes.count, now)
            for _ in lanes { _ = state.take(now) }
        }

        @discardableResult
        mutating func finish(_ settlement: LaneSettlement) -> Bool {
            state.finished(settlement, took: .milliseconds(1), now)
        }
    }

    @Test func `that is busy drains for a suspect later, for a while, and again`() {
        var hand = Hand(at: start)
        hand.begin([Self.lane("a")], suspects: 1)
        var asked: [Bool] = []
        for _ in 0..<60 {
            let request = hand.request()
            asked.append(request != nil)
            #expect(request?.takesSuspects != true, "it is not alone")
            if let request {
                let more = LaneReservation(
                    now: hand.now, deadline: hand.now, lanes: [], suspectsWaiting: 1)
                _ = hand.state.reserved(more, request)
                hand.state.isDry = false
            }
            hand.now = hand.now + .seconds(1)
        }
        #expect(asked[0], "not at once: all workers hear of it at the same time")
        let turns = zip(asked, asked.dropFirst()).filter { $0 != $1 }.count
        #expect(turns >= 3, "drains, works and drains again")
        #expect(asked.filter { $0 }.count > 30)
    }

    @Test func `that drains wakes up when it was in vain`() {
        var hand = Hand(at: start)
        hand.begin([Self.lane("a")], suspects: 1)
        for _ in 0..<5000 {
            if case .wait(let limit) = hand.step() {
                #expect(limit.map { $0 > .zero && $0 <= .seconds(5) } == true)
                return
            }
            hand.state.reserveFailed(hand.now, jitter: 0)
            hand.now = hand.now + .seconds(7)
            // Only time has passed; what failed is forgotten by then.
            if case .wait(let limit?) = hand.step() {
                #expect(limit > .zero && limit <= .seconds(5))
                return
            }
            hand.state.reserveFailed(hand.now, jitter: 0)
            hand.now = hand.now + .seconds(1)
        }
        Issue.record("it never drained")
    }

    @Test func `is alone beside a run whose lease is lost and a commit that waits for room`() {
        var hand = Hand(3, at: start)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        hand.begin([a, b], suspects: 1)
        hand.finish(Self.commit(b))
        let commits = hand.commits()
        #expect(commits.map(\.token) == [b.token])
        hand.state.settled(commits, [.targetBusy])
        hand.state.deferLater(commits, hand.now)
        let retries = [hand.state.takeRetry(), hand.state.takeRetry()]
        #expect(retries == [true, false])
        #expect(hand.state.lost([a.token], hand.now) == 1)
        // The request that went with the commit comes back empty.
        hand.state.reserveFailed(hand.now, jitter: 0)
        hand.now = hand.now + .seconds(1)
        #expect(hand.request()?.takesSuspects == true)
    }

    @Test func `takes nothing beside a suspect, from its reserve to its commit`() {
        var hand = Hand(at: start)
        let suspect = Self.lane("s", lost: 2)
        let work = hand.reserve([suspect])
        #expect(hand.request() == nil, "while its window loads")
        hand.state.loaded(work, of: 1, hand.now)
        #expect(hand.request() == nil, "while it waits for a slot")
        _ = hand.state.take(hand.now)
        #expect(hand.request() == nil, "while it runs")
        hand.finish(Self.commit(suspect))
        let commits = hand.commits()
        #expect(hand.request() == nil, "while it is committed")
        hand.state.settled(commits, [.done])
        #expect(hand.request() != nil)
    }

    @Test func `takes others when a suspect's lease is lost, and counts nothing of its run`() {
        var hand = Hand(at: start)
        let suspect = Self.lane("s", lost: 2)
        hand.begin([suspect])
        #expect(hand.state.lost([suspect.token], hand.now) == 1)
        #expect(hand.state.lost([suspect.token], hand.now) == 0, "told once")
        #expect(hand.request() != nil)
        hand.state.reserveFailed(hand.now, jitter: 0)
        let counts = hand.finish(Self.commit(suspect))
        #expect(!counts)
        #expect(hand.state.isIdle)
    }

    @Test func `asks for nothing and gives back what waits while all its slots hang`() {
        var hand = Hand(1, at: start)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        let work = hand.reserve([a, b])
        hand.state.loaded(work, of: 2, hand.now)
        _ = hand.state.take(hand.now)
        _ = hand.state.lost([a.token], hand.now)
        guard case .exchange(let commits, let request) = hand.step() else {
            Issue.record("expected b to go back")
            return
        }
        #expect(commits.map(\.token) == [b.token] && commits.map(\.end) == [.release])
        #expect(request == nil)
    }

    @Test func `does not end while it reserves or loads, and gives back what came`() {
        var hand = Hand(at: start)
        guard let request = hand.request() else { return #expect(Bool(false)) }
        let stops = [hand.state.stop(hand.now), hand.state.stop(hand.now)]
        #expect(stops == [true, false])
        #expect(!hand.finishes && !hand.state.isIdle)
        let lane = Self.lane("a")
        let work = hand.state.reserved(
            LaneReservation(now: hand.now, deadline: hand.now, lanes: [lane]), request)
        #expect(!hand.finishes && !hand.state.isIdle)
        hand.state.loaded(work, of: 1, hand.now)
        #expect(hand.state.take(hand.now) == nil)
        let commits = hand.commits()
        #expect(commits.map(\.end) == [.release])
        #expect(!hand.finishes)
        hand.state.settled(commits, [.done])
        #expect(hand.finishes)
    }

    @Test func `begins no key whose lease was lost while its window was loaded`() {
        var hand = Hand(at: start)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        let work = hand.reserve([a, b])
        _ = hand.state.lost([a.token], hand.now)
        hand.state.loaded(work, of: 2, hand.now)
        #expect(hand.state.take(hand.now)?.lane.token == b.token)
        #expect(hand.state.take(hand.now) == nil)
    }

    @Test func `sends a commit again that got no answer, unless its lease was lost`() {
        var hand = Hand(at: start)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        hand.begin([a, b])
        hand.finish(Self.commit(a))
        hand.finish(Self.commit(b))
        let commits = hand.commits()
        #expect(commits.count == 2)
        #expect(hand.state.lost([b.token], hand.now) == 0, "its commit may have taken it away")
        hand.state.settleFailed(commits, hand.now, jitter: 1)
        #expect(hand.state.lost([a.token], hand.now) == 1)
        #expect(hand.commits().isEmpty, "it waits first")
        hand.now = hand.now + .milliseconds(50)
        #expect(hand.commits().map(\.token) == [b.token])
    }

    @Test func `waits longer after each load that fails, whatever else succeeds`() {
        var hand = Hand(at: start)
        var waits: [Duration] = []
        for _ in 0..<4 {
            let work = hand.reserve([Self.lane("a")])
            for work in work { hand.state.add(.release(work.lane.token), hand.now) }
            hand.state.loadFailed(hand.now, jitter: 1)
            hand.state.loaded([], of: 1, hand.now)
            guard case .wait(let limit?) = hand.step() else { return #expect(Bool(false)) }
            waits.append(limit)
            hand.now = hand.now + limit
            guard case .exchange(let commits, .some) = hand.step() else {
                return #expect(Bool(false))
            }
            hand.state.settled(commits, [.done])
            hand.state.reserveFailed(hand.now, jitter: 0)
            hand.now = hand.now + .seconds(10)
        }
        #expect(waits == [50, 100, 200, 400].map { .milliseconds($0) })
    }

    @Test func `lets go of a commit that is refused, or sends what takes its place`() {
        var hand = Hand(at: start)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        hand.begin([a, b])
        hand.finish(Self.commit(a))
        hand.finish(Self.commit(b))
        for commit in hand.commits() {
            let isB = commit.token == b.token
            hand.state.refused(
                commit, instead: isB ? Self.commit(b, .block(reason: "refused")) : nil, hand.now)
        }
        #expect(hand.state.tokensToRenew(hand.now) == [b.token])
        #expect(hand.commits().map(\.end) == [.block(reason: "refused")])
    }

    @Test func `gives back at a stop what waits for room`() {
        var hand = Hand(at: start)
        let lane = Self.lane("a")
        hand.begin([lane])
        hand.finish(Self.commit(lane))
        let commits = hand.commits()
        hand.state.settled(commits, [.targetBusy])
        hand.state.deferLater(commits, hand.now)
        hand.state.reserveFailed(hand.now, jitter: 0)
        #expect(hand.state.tokensToRenew(hand.now) == [lane.token])
        _ = hand.state.stop(hand.now)
        hand.now = hand.now + .seconds(1)
        let releases = hand.commits()
        #expect(releases.map(\.end) == [.release] && releases.map(\.handled) == [0])
        hand.state.settled(releases, [.done])
        #expect(hand.finishes)
    }

    @Test func `ends without a handler that goes on once its grace is over`() {
        var hand = Hand(at: start)
        let lane = Self.lane("a")
        hand.begin([lane])
        _ = hand.state.stop(hand.now)
        #expect(!hand.finishes)
        hand.state.endGrace()
        #expect(!hand.finishes, "it may still say that it was cancelled")
        hand.state.abandon()
        #expect(hand.finishes)
        #expect(hand.state.left == 1)
        let counts = hand.finish(Self.commit(lane))
        #expect(!counts, "what it returns later counts for nothing")
    }

    @Test func `renews what waits without end and what runs for as long as it may`() {
        var options = StreamWorkerOptions.quick
        options.maxHold = .seconds(60)
        var hand = Hand(1, at: start, options)
        let (a, b) = (Self.lane("a"), Self.lane("b"))
        let work = hand.reserve([a, b])
        hand.state.loaded(work, of: 2, hand.now)
        _ = hand.state.take(hand.now)
        #expect(hand.state.tokensToRenew(start + .seconds(59)).count == 2)
        #expect(hand.state.tokensToRenew(start + .seconds(60)) == [b.token])
        #expect(hand.state.expired(start + .seconds(89)).isEmpty)
        #expect(hand.state.expired(start + .seconds(90)) == [a.token])
    }

    // MARK: What it remembers

    private typealias Cache = LaneCache<Int, Int>

    @Test func `remembers a key only where the store stands where it stood`() {
        var cache = Cache(limit: 1 << 20)
        for (position, birth, isKnown) in [(5, 1, true), (6, 1, false), (5, 2, false)] {
            cache.put(RememberedLane(birth: 1, position: 5, state: 0), for: "a")
            var lane = Self.lane("a")
            lane.position = UInt64(position)
            lane.birth = UInt32(birth)
            #expect((cache.take(lane) != nil) == isKnown)
            #expect(cache.take(lane) == nil, "it is in hand")
        }
    }

    @Test func `remembers no more keys than fit, however small their states`() {
        var cache = Cache(limit: 64 << 10)
        for number in 0..<10_000 {
            var lane = RememberedLane<Int, Int>(birth: 1, position: 1, state: 0)
            lane.enter(number, size: 0, kept: 3)
            cache.put(lane, for: "key-\(number)")
        }
        #expect(cache.count < 256 && cache.count > 100)
        var last = Self.lane("key-9999")
        last.position = 1
        #expect(cache.take(last) != nil)
    }
}

extension LaneSettlement {
    fileprivate static func release(_ token: LaneToken) -> LaneSettlement {
        LaneSettlement(
            token, handled: 0, newest: .none, windowCount: 0, windowBytes: 0, end: .release)
    }
}
