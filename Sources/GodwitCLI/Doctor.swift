// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitMonitor

/// `godwit doctor`: is the store fit for a queue, and do its queues add up?
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the store's version and settings and every queue's books.",
        discussion: """
            Reads only, and is safe on a live queue: a suspicion counts when it is seen twice. \
            --repair says what would be mended, --repair --yes mends it. Exits with 1 when something \
            needs mending.
            """)
    @Option(help: "How many messages of each queue are looked at.") var limit: Int = 100_000
    @Option(help: "Between the two looks; two leases are safe.", transform: StoreOptions.duration)
    var pause: Duration = .seconds(60)
    @Flag(help: "Say how each fault would be mended; with --yes, mend it.") var `repair` = false
    @Flag(help: "Do what --repair would do.") var yes = false
    @OptionGroup var store: StoreOptions

    struct Finding: Row {
        static let columns = ["grade", "subject", "finding", "sentence"]
        let grade: Diagnosis.Grade
        let subject: String
        let finding: String
        let sentence: String

        var cells: [String] { [grade.rawValue, subject, finding, sentence] }

        init(_ diagnosis: Diagnosis) {
            grade = diagnosis.grade
            subject = diagnosis.subject
            finding = diagnosis.finding
            sentence = diagnosis.sentence
        }
    }

    func validate() throws {
        guard limit >= 1 else { throw ValidationError("--limit is 1 or more, not \(limit).") }
        guard repair || !yes else { throw ValidationError("--yes goes with --repair.") }
    }

    func run() async throws {
        try await store.withStore { open in
            var options = Checkup.Options()
            options.limit = limit
            options.pause = pause
            let checkup = Checkup(open.broker, options: options)
            let report = try await checkup.run()
            var findings = report.findings
            var left = findings.count { $0.grade == .problem }
            if repair {
                for (fault, outcome) in try await checkup.repair(report.faults, isDryRun: !yes) {
                    findings.append(Diagnosis(mending: fault, outcome, isDone: yes))
                    if yes, outcome.isMended { left -= 1 }
                }
            }
            if store.format == .text {
                for finding in findings {
                    let mark =
                        finding.grade == .good
                        ? "ok     " : finding.grade == .note ? "note   " : "PROBLEM"
                    print(
                        "\(mark) \(finding.subject): \(finding.finding): \(finding.sentence)"
                            .escapedForDisplay)
                }
            } else {
                try store.output.list(findings.map(Finding.init))
            }
            Talk.say("\(open.name): \(findings.count) thing(s) looked at, \(left) problem(s)")
            if left > 0 { throw ExitCode(1) }
        }
    }
}
