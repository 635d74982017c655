// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit doctor`: is the store fit for a queue, and do its queues add up?
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the store's version and settings and every queue's books.",
        discussion: "Reads only. Exits with 1 when something needs mending.")
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
            let problems = findings.count { $0.grade == .problem }
            Talk.say("\(open.name): \(findings.count) thing(s) looked at, \(problems) problem(s)")
            if problems > 0 { throw ExitCode(Failure.Code.failed.rawValue) }
        }
    }
}
