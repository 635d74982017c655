// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

@Suite struct `Alert judge` {
    private let start = Timestamp(milliseconds: 1_767_225_600_000)

    private func death(
        _ group: String, _ count: Int = 1, at: Timestamp, queue: String = "mail",
        rule: String = "new-group", trigger: AlertRule.Trigger = .newGroup
    ) -> AlertSignal {
        AlertSignal(
            rule: rule, trigger: trigger, queue: queue, group: group, text: "it failed: \(group)",
            count: count, samples: ["id-\(group)"], at: at)
    }

    @Test
    func `a group speaks at once, then once a minute with its count, and once when it is over`() {
        var judge = AlertJudge()
        var said: [(second: Int, phase: AlertMessage.Phase, count: Int)] = []
        // One failure a second for 150 seconds, then nothing.
        for second in 0..<1000 {
            let now = start + .seconds(second)
            let signals = second < 150 ? [death("a", at: now)] : []
            for message in judge.judge(signals, at: now) {
                said.append((second, message.phase, message.count))
            }
        }
        #expect(said.map(\.second) == [0, 60, 120, 180, 749])
        #expect(said.map(\.phase) == [.first, .update, .update, .update, .resolved])
        #expect(said.map(\.count) == [1, 61, 121, 150, 150])
        #expect(judge.groups.isEmpty)
        // It may come again, and is new then.
        #expect(
            judge.judge([death("a", at: start + .seconds(1000))], at: start + .seconds(1000))
                .map(\.phase) == [.first])
    }

    @Test
    func `a condition speaks again only when it is twice as bad`() {
        var judge = AlertJudge()
        var said: [(Int, AlertMessage.Phase)] = []
        for second in stride(from: 0, to: 4000, by: 5) {
            let now = start + .seconds(second)
            let age = second < 3000 ? [second + 300] : []
            let signals = age.map {
                death("age", $0, at: now, rule: "age", trigger: .age)
            }
            said += judge.judge(signals, at: now).map { (second, $0.phase) }
        }
        #expect(said.map(\.0) == [0, 300, 900, 2100, 3595])
        #expect(said.map(\.1) == [.first, .update, .update, .update, .resolved])
    }

    @Test
    func `a hundred thousand failures in a minute are at most ten messages and none is forgotten`()
    {
        for groups in [1, 7, 9, 10, 500, 30_000] {
            var judge = AlertJudge()
            var messages: [AlertMessage] = []
            for second in stride(from: 0, to: 60, by: 5) {
                let now = start + .seconds(second)
                var signals: [AlertSignal] = []
                for failure in second * 100_000 / 60..<(second + 5) * 100_000 / 60 {
                    signals.append(death("g\(failure % groups)", at: now))
                }
                messages += judge.judge(signals, at: now)
            }
            #expect(messages.count <= 10, "\(groups) groups gave \(messages.count) messages")
            #expect(messages.count == min(groups, 10))
            #expect(judge.groups.count <= AlertJudge.groupsPerQueue + 1)
            #expect(judge.groups.values.reduce(0) { $0 + $1.count } == 100_000)
            // The minute after, the last of it has been told, by itself or in a digest.
            for second in stride(from: 60, to: 130, by: 5) {
                messages += judge.judge([], at: start + .seconds(second))
            }
            #expect(judge.groups.values.allSatisfy { $0.toldAt != nil && $0.toldCount == $0.count })
        }
    }

    @Test(arguments: 0..<12)
    func `no storm gives more than ten messages in any sixty seconds`(_ seed: UInt64) {
        var random = Xoshiro(seed: seed)
        var judge = AlertJudge()
        var times: [Timestamp] = []
        var firsts: [AlertGroup.Key: Int] = [:]
        var resolved: [AlertGroup.Key: Int] = [:]
        var now = start
        let groups = [3, 30, 3000][Int(seed % 3)]
        for _ in 0..<800 {
            now = now + .milliseconds(Int64.random(in: 1...9000, using: &random))
            let isStorm = UInt64.random(in: 0..<4, using: &random) == 0
            var signals: [AlertSignal] = []
            for _ in 0..<(isStorm ? Int.random(in: 0..<300, using: &random) : 0) {
                signals.append(
                    death(
                        "g\(Int.random(in: 0..<groups, using: &random))", at: now,
                        queue: "q\(Int.random(in: 0..<3, using: &random))"))
            }
            for message in judge.judge(signals, at: now) {
                times.append(now)
                guard let key = message.key else { continue }
                if message.phase == .first { firsts[key, default: 0] += 1 }
                if message.phase == .resolved { resolved[key, default: 0] += 1 }
            }
            // A restart in the middle changes nothing.
            if UInt64.random(in: 0..<50, using: &random) == 0 {
                judge = AlertJudge(
                    groups: Array(judge.groups.values), sent: judge.sent, digestAt: judge.digestAt)
            }
        }
        for (place, time) in times.enumerated() {
            let end = time + .seconds(60)
            let count = times[place...].prefix { $0 < end }.count
            #expect(count <= 10, "seed \(seed): \(count) messages within a minute")
        }
        #expect(!times.isEmpty)
        for (key, count) in resolved where groups == 3 {
            #expect(count <= firsts[key, default: 0] + 1)
        }
    }

    @Test
    func
        `beyond ten thousand groups of a queue the rest is one group, other queues are not touched`()
    {
        var judge = AlertJudge()
        let signals = (0..<12_000).map { death("g\($0)", at: start) }
        _ = judge.judge(signals + [death("x", at: start, queue: "audio")], at: start)
        let mail = judge.groups.values.filter { $0.key.queue == "mail" }
        #expect(mail.count == 10_001)
        #expect(mail.first { $0.key.group == AlertGroup.other }?.count == 2000)
        #expect(
            judge.groups.values.contains { $0.key.queue == "audio" && $0.key.group == "x" })
    }

    @Test
    func `two judges that see the same in one minute name their messages alike`() {
        var left = AlertJudge()
        var right = AlertJudge()
        let signals = (0..<30).map { death("g\($0)", at: start) }
        let one = left.judge(signals, at: start + .seconds(3))
        let two = right.judge(signals, at: start + .seconds(41))
        #expect(one.count == 10)
        #expect(one.map { $0.id(on: "a") } == two.map { $0.id(on: "a") })
        #expect(Set(one.map { $0.id(on: "a") } + one.map { $0.id(on: "b") }).count == 20)
        for message in one {
            let id = message.id(on: "a")
            #expect(id.timestamp == start, "the minute is in front")
            #expect(id.low >> 62 == 2, "the variant of RFC 9562")
            #expect(MessageID("\(id)") == id)
        }
        // Another minute, phase, rule, queue or group is another message.
        var later = AlertJudge()
        let other = later.judge(signals, at: start + .seconds(60))
        #expect(Set(one.map { $0.id(on: "a") }).isDisjoint(with: other.map { $0.id(on: "a") }))
    }

    @Test
    func `a clock that is set back silences nothing`() {
        var judge = AlertJudge()
        let late = start + .seconds(7200)
        _ = judge.judge((0..<30).map { death("g\($0)", at: late) }, at: late)
        let messages = judge.judge([death("new", at: start)], at: start)
        #expect(messages.contains { $0.phase == .first && $0.key?.group == "new" })
    }
}
