// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

/// EBU Tech 3341 v4, Table 1, signals 1 to 6 and 9 to 14: sines of 1 kHz at given peak levels.
@Suite struct `Signals of Tech 3341` {
    @Test(arguments: Programme.rates, [-23.0, -33.0])
    func `1 and 2: a steady tone reads its level on every scale`(_ rate: Int, _ level: Double) {
        var (momentary, shortTerm) = (0.0, 0.0)
        var programme = Programme(rate: rate) { meter, time in
            if time >= 0.4 { momentary = max(momentary, meter.momentary.distance(to: level)) }
            if time >= 3 { shortTerm = max(shortTerm, meter.shortTerm.distance(to: level)) }
        }
        programme.tone(20, level)
        let found = programme.finish()
        #expect(momentary <= 0.1 && shortTerm <= 0.1, "all the time: \(momentary), \(shortTerm)")
        #expect(found.integrated.isNear(level))
        #expect(found.momentaryMax.isNear(level))
        #expect(found.shortTermMax.isNear(level))
    }

    @Test(arguments: Programme.rates)
    func `3: the relative gate leaves out the quiet ends`(_ rate: Int) {
        var programme = Programme(rate: rate)
        for (time, level) in [(10.0, -36.0), (60, -23), (10, -36)] { programme.tone(time, level) }
        #expect(programme.finish().integrated.isNear(-23))
    }

    @Test(arguments: Programme.rates)
    func `4: the absolute gate leaves out what is quieter still`(_ rate: Int) {
        var programme = Programme(rate: rate)
        for (time, level) in [(10.0, -72.0), (10, -36), (60, -23), (10, -36), (10, -72)] {
            programme.tone(time, level)
        }
        #expect(programme.finish().integrated.isNear(-23))
    }

    @Test(arguments: Programme.rates)
    func `5: levels near each other all count`(_ rate: Int) {
        var programme = Programme(rate: rate)
        for (time, level) in [(20.0, -26.0), (20.1, -20), (20, -26)] { programme.tone(time, level) }
        #expect(programme.finish().integrated.isNear(-23))
    }

    @Test(arguments: Programme.rates)
    func `6: surrounds count 1,41`(_ rate: Int) {
        var programme = Programme(rate: rate, channels: 5)
        programme.tone(20, [-28, -28, -24, -30, -30])
        #expect(programme.finish().integrated.isNear(-23))
    }

    @Test(arguments: Programme.rates)
    func `6: in 5,1 what is on the effects channel does not count`(_ rate: Int) {
        var programme = Programme(rate: rate, channels: 6)
        programme.tone(20, [-28, -28, -24, -10, -30, -30])
        #expect(programme.finish().integrated.isNear(-23))
    }

    @Test(arguments: Programme.rates)
    func `9: short-term loudness is constant after 3 s`(_ rate: Int) {
        var (readings, worst) = (0, 0.0)
        var programme = Programme(rate: rate) { meter, time in
            guard time >= 3 else { return }
            worst = max(worst, meter.shortTerm.distance(to: -23))
            readings += 1
        }
        for _ in 0..<5 {
            programme.tone(1.34, -20)
            programme.tone(1.66, -30)
        }
        #expect(programme.finish().shortTermMax.isNear(-23))
        #expect(readings >= 1200 && worst <= 0.1, "\(worst)")
    }

    @Test(arguments: Programme.rates)
    func `10: a tone of 3 s is met wherever it starts`(_ rate: Int) {
        for i in 0..<20 {
            var programme = Programme(rate: rate)
            programme.silence(Double(i) * 0.15)
            programme.tone(3, -23)
            programme.silence(1)
            #expect(programme.finish().shortTermMax.isNear(-23), "i = \(i)")
        }
    }

    @Test(arguments: Programme.rates)
    func `11: each tone of 3 s is met in a running programme`(_ rate: Int) {
        var most = -Double.infinity
        var programme = Programme(rate: rate) { meter, _ in
            most = max(most, meter.shortTerm ?? -.infinity)
        }
        for i in 0..<20 {
            programme.silence(Double(i) * 0.15)
            programme.tone(3, Double(-38 + i))
            programme.silence(3 - Double(i) * 0.15)
            #expect(abs(most - Double(-38 + i)) <= 0.1, "i = \(i)")
        }
        #expect(programme.finish().shortTermMax.isNear(-19))
    }

    @Test(arguments: Programme.rates)
    func `12: momentary loudness is constant after 1 s`(_ rate: Int) {
        var (readings, worst) = (0, 0.0)
        var programme = Programme(rate: rate) { meter, time in
            guard time >= 1 else { return }
            worst = max(worst, meter.momentary.distance(to: -23))
            readings += 1
        }
        for _ in 0..<25 {
            programme.tone(0.18, -20)
            programme.tone(0.22, -30)
        }
        #expect(programme.finish().momentaryMax.isNear(-23))
        #expect(readings >= 900 && worst <= 0.1, "\(worst)")
    }

    @Test(arguments: Programme.rates)
    func `13: a tone of 400 ms is met wherever it starts`(_ rate: Int) {
        for i in 0..<20 {
            var programme = Programme(rate: rate)
            programme.silence(Double(i) * 0.02)
            programme.tone(0.4, -23)
            programme.silence(1)
            #expect(programme.finish().momentaryMax.isNear(-23), "i = \(i)")
        }
    }

    @Test(arguments: Programme.rates)
    func `14: each tone of 400 ms is met in a running programme`(_ rate: Int) {
        var most = -Double.infinity
        var programme = Programme(rate: rate) { meter, _ in
            most = max(most, meter.momentary ?? -.infinity)
        }
        for i in 0..<20 {
            programme.silence(Double(i) * 0.02)
            programme.tone(0.4, Double(-38 + i))
            programme.silence(0.4 - Double(i) * 0.02)
            #expect(abs(most - Double(-38 + i)) <= 0.1, "i = \(i)")
        }
        #expect(programme.finish().momentaryMax.isNear(-19))
    }

    /// EBU Tech 3342, signals 1 to 4.
    @Test(arguments: Programme.rates)
    func `loudness range of Tech 3342`(_ rate: Int) {
        let signals: [(levels: [Double], range: Double)] = [
            ([-20, -30], 10), ([-20, -15], 5), ([-40, -20], 20), ([-50, -35, -20, -35, -50], 15),
        ]
        for (levels, range) in signals {
            var programme = Programme(rate: rate)
            for level in levels { programme.tone(20, level) }
            let found = programme.finish().range
            // The standard allows ±1; the other signals of the table come out near to 0.01.
            #expect(found.isNear(range, 0.05), "\(levels): \(found ?? .nan)")
        }
    }
}
