// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit doctor`: is the store fit for a queue, and do its queues add up?
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the store's version and settings and every queue's books.",
        discussion: "Reads only. Exits with 1 when something needs mending.")
    @Option(help: "How many messages of each queue are looked at.") var limit: Int = 100_000
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
    }

    func run() async throws {
        try await store.withStore { open in
            var findings = await (open.broker as? any Diagnosable)?.diagnose() ?? []
            for queue in try await open.broker.inspector.queues() {
                let problems = try await open.broker.inspector.check(queue, limit: limit)
                if problems.isEmpty {
                    findings.append(
                        Diagnosis(
                            .good, "queue \(queue)", "sound", "states, indexes and counters agree"))
                }
                for problem in problems {
                    findings.append(Diagnosis(.problem, "queue \(queue)", "unsound", problem))
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
            let problems = findings.count { $0.grade == .problem }
            Talk.say("\(open.name): \(findings.count) thing(s) looked at, \(problems) problem(s)")
            if problems > 0 { throw ExitCode(1) }
        }
    }
}
