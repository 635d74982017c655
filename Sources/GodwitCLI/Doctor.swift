// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitMonitor

/// `godwit doctor`: is the store fit for a queue, and do its queues add up?
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the store's version and settings and every queue's books.",
        discussion: """
            Reads only, and is safe on a live queue: a suspicion counts when it is seen twice. With a \
            history it also gives advice. --repair says what would be mended, --repair --yes mends it. \
            Exits with 1 when something needs mending.
            """)
    @Option(help: "Between the two looks; two leases are safe.", transform: StoreOptions.duration)
    var pause: Duration = .seconds(60)
    @Flag(help: "Say how each fault would be mended; with --yes, mend it.") var `repair` = false
    @OptionGroup var store: StoreOptions

    struct Finding: Row {
        static let schema = "godwit.finding/1"
        static let columns: [Column<Finding>] = [
            .text("grade", "good, note or problem") { $0.grade.rawValue },
            .text("subject", "what was looked at") { $0.subject },
            .text("finding", "what it is") { $0.finding },
            .text("sentence", "what that means, and what to do") { $0.sentence },
        ]
        let grade: Diagnosis.Grade
        let subject: String
        let finding: String
        let sentence: String

        init(_ diagnosis: Diagnosis) {
            grade = diagnosis.grade
            subject = diagnosis.subject
            finding = diagnosis.finding
            sentence = diagnosis.sentence
        }
    }

    func run() async throws {
        let output = try store.output(Finding.self)
        let limit = store.limit(100_000, most: 1_000_000)
        try await store.withStore { open in
            var options = Checkup.Options()
            options.limit = limit
            options.pause = pause
            let checkup = Checkup(
                open.broker, history: open.history.isThere ? try await open.history.store() : nil,
                options: options)
            let report = try await checkup.run()
            var findings = report.findings
            var left = findings.count { $0.grade == .problem }
            if `repair` {
                let isDryRun = store.isDry || !store.isSure
                for (fault, outcome) in try await checkup.repair(report.faults, isDryRun: isDryRun)
                {
                    findings.append(Diagnosis(mending: fault, outcome, isDone: !isDryRun))
                    if !isDryRun, outcome.isMended { left -= 1 }
                }
            }
            if store.format == .text, store.fields == nil {
                for finding in findings {
                    let mark =
                        finding.grade == .good
                        ? "ok     " : finding.grade == .note ? "note   " : "PROBLEM"
                    print(
                        "\(mark) \(finding.subject): \(finding.finding): \(finding.sentence)"
                            .shown)
                }
            } else {
                try output.list(findings.map(Finding.init))
            }
            Talk.say("\(open.name): \(findings.count) thing(s) looked at, \(left) problem(s)")
            if left > 0 { throw ExitCode(Failure.Code.failed.rawValue) }
        }
    }
}
