// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitPush
import GodwitTesting
import Testing

@Suite struct `Circuit` {
    private var clock = VirtualClock()
    private var random = Xoshiro(seed: 7)
    private var breaker = Breaker(threshold: 3, base: .seconds(1), cap: .seconds(8))

    /// One call that finds this.
    private mutating func call(_ finding: Breaker.Finding) {
        let permit = breaker.admit(at: clock.now())
        _ = breaker.ended(permit, finding, at: clock.now(), using: &random)
    }

    private mutating func fail(_ times: Int) {
        for _ in 0..<times { call(.failing(pause: nil)) }
    }

    private var wait: Duration? {
        guard case .open(let until) = breaker.state else { return nil }
        return until - clock.now()
    }

    @Test mutating func `failures in a row open it, and an answer in between starts anew`() {
        fail(2)
        call(.answering)
        fail(2)
        #expect(breaker.state == .closed(failures: 2))
        fail(1)
        #expect(wait != nil)
        guard case .wait(let until?) = breaker.admit(at: clock.now()) else {
            Issue.record("it lets calls through")
            return
        }
        #expect(until > clock.now())
    }

    @Test mutating func `after its wait one probe goes, and its answer closes it`() {
        fail(3)
        clock.advance(by: .seconds(1))
        let probe = breaker.admit(at: clock.now())
        #expect(breaker.state == .halfOpen)
        #expect(breaker.admit(at: clock.now()) == .wait(until: nil))
        let changed = breaker.ended(probe, .answering, at: clock.now(), using: &random)
        #expect(changed)
        #expect(breaker.state == .closed(failures: 0))
        #expect(breaker.openings == 0)
    }

    @Test mutating func `each opening in a row waits longer, between half a bound and the bound`() {
        fail(3)
        for bound in [1, 2, 4, 8, 8, 8] {
            let wait = self.wait ?? .zero
            #expect(wait >= .milliseconds(bound * 500) && wait <= .seconds(bound))
            clock.advance(by: wait)
            fail(1)
        }
    }

    @Test mutating func `the service's own pause counts, up to the cap`() {
        call(.failing(pause: nil))
        call(.failing(pause: nil))
        call(.failing(pause: .seconds(5)))
        #expect(wait == .seconds(5))
        clock.advance(by: .seconds(5))
        call(.failing(pause: .seconds(3600)))
        #expect(wait == .seconds(8))
    }

    @Test mutating func `what was under way when it opened changes nothing later`() {
        let late = breaker.admit(at: clock.now())
        fail(3)
        let before = breaker.state
        var changed = breaker.ended(late, .answering, at: clock.now(), using: &random)
        #expect(!changed && breaker.state == before)
        clock.advance(by: .seconds(1))
        _ = breaker.admit(at: clock.now())
        changed = breaker.ended(late, .failing(pause: nil), at: clock.now(), using: &random)
        #expect(!changed && breaker.state == .halfOpen)
    }

    @Test mutating func `a probe that was broken off lets another one go at once`() {
        fail(3)
        clock.advance(by: .seconds(1))
        call(.abandoned)
        guard case .call = breaker.admit(at: clock.now()) else {
            Issue.record("nobody may probe")
            return
        }
    }
}
