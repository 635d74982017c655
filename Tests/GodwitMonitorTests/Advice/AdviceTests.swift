// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

@Suite struct AdviceTests {
    static let scenarios = Scenario.simulated + Scenario.recorded

    /// The goal of the design: 38 of 40 right, and never a wrong "add workers".
    @Test func `of all scenarios 95 in 100 are judged right and none gets workers wrongly`() {
        var wrong: [String] = []
        for scenario in Self.scenarios {
            let advice = Adviser(scenario.panes, scenario.now, scenario.targets).advice()
            let said = Set(advice.map(\.kind))
            if said != scenario.expected {
                wrong.append(
                    "\(scenario): said \(said.map(\.rawValue).sorted()), "
                        + "not \(scenario.expected.map(\.rawValue).sorted())")
            }
            #expect(
                !said.contains(.addWorkers) || scenario.expected.contains(.addWorkers),
                "\(scenario): \(advice.map(\.sentence))")
        }
        #expect(Self.scenarios.count >= 40)
        #expect(wrong.count * 20 <= Self.scenarios.count, "\(wrong.joined(separator: "\n"))")
        print("advice: \(Self.scenarios.count - wrong.count) of \(Self.scenarios.count) right")
        for line in wrong { print("advice wrong: \(line)") }
    }

    @Test(arguments: scenarios.filter { $0.slots != nil })
    func `the number of slots is the one of Little's law`(_ scenario: Scenario) throws {
        let advice = Adviser(scenario.panes, scenario.now, scenario.targets).advice()
        let slots = try #require(advice.compactMap(\.slots).first)
        #expect(scenario.slots?.contains(slots) == true, "\(slots): \(advice.map(\.sentence))")
    }

    @Test func `every sentence names numbers and a next command and holds no control character`() {
        for scenario in Self.scenarios {
            for advice in Adviser(scenario.panes, scenario.now, scenario.targets).advice() {
                #expect(advice.next.hasPrefix("godwit "))
                #expect(advice.kind == .ratesUnknown || advice.sentence.contains(where: \.isNumber))
                #expect(!advice.sentence.unicodeScalars.contains { $0.value < 0x20 })
            }
        }
    }

    @Test func `failures are shown with their groups, and hostile text is escaped`() throws {
        var pane = Scenario.pane(3600, errors: 0.2)
        pane.groups = [
            ErrorGroup(
                fingerprint: "0123456789abcdef", queue: "mail", kind: "job", count: 17,
                firstAt: Scenario.at + .seconds(-7200), lastAt: Scenario.at + .seconds(-3),
                reason: "\u{1B}[2Jno such user", samples: [])
        ]
        let short = Scenario.pane(300, errors: 0.2)
        let advice = try #require(
            Adviser(QueuePanes(short: short, long: pane), Scenario.now()).advice().first)
        #expect(advice.kind == .errors)
        #expect(
            advice.sentence.contains(
                "17 × '\\u{1b}[2Jno such user' (job, first 2 h ago, last 3 s ago)"))
    }

    @Test func `slots beyond the limit of leases are not asked for before the limit is raised`()
        throws
    {
        for (name, sentence) in [
            ("under the 18", "raise it to 18 first"), ("asks for 22", "raise it to 22 first"),
        ] {
            let scenario = try #require(Self.scenarios.first { $0.description.contains(name) })
            let advice = Adviser(scenario.panes, scenario.now, scenario.targets).advice()
            #expect(advice.contains { $0.sentence.contains(sentence) }, "\(advice.map(\.sentence))")
            #expect(advice.allSatisfy { $0.slots == nil })
        }
    }

    @Test func `a plan knows when no number of slots helps and when a tail remains`() {
        let fits = FinishPlan(jobs: 100, meanRun: 600, p95Run: 900, within: 3600, slots: 8)
        #expect(!fits.isInTime)
        #expect(fits.slotsNeeded == 22)
        #expect(FinishPlan(jobs: 100, meanRun: 600, p95Run: 900, within: 3600, slots: 22).isInTime)
        #expect(!FinishPlan(jobs: 100, meanRun: 600, p95Run: 900, within: 3600, slots: 21).isInTime)
        #expect(
            FinishPlan(jobs: 9, meanRun: 600, p95Run: 3600, within: 3600, slots: 9).slotsNeeded
                == nil)
        #expect(FinishPlan(jobs: 0, meanRun: 1, p95Run: 1, within: 1, slots: 0).isInTime)
        #expect(
            FinishPlan(jobs: 10, meanRun: 300, p95Run: 1000, within: 1500, slots: 1).hasLongTail)
    }
}
