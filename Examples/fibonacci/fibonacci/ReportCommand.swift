// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FibonacciNumbers
import Godwit

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Says what a store and a folder of results hold, and compares the results.",
        discussion: "It judges the numbers that have answers; who was killed it can't know.")

    @Option(help: "sqlite:PATH, redis://… or redis+unix://…") var broker: String
    @Option(help: "The folder of the results.") var results: String
    @OptionGroup var options: ReportOptions

    func run() async throws {
        let results = Results(folder: results)
        var findings = Report.Findings()
        findings.results = try results.listing()
        findings.asked = findings.results.answers.keys.sorted()
        findings.isComparisonDue = !options.noCheck
        let courses = try await House.with(broker) { broker in
            try await Courses(broker: broker) { _ in nil }.read(
                try await ended(on: broker, findings.results))
        }
        findings.courses = courses
        findings.refusable = courses.filter { $0.end == .dead }.map(\.n)
        findings.completed = Set(courses.filter { $0.end == .completed }.map(\.n)).count
        if !options.noCheck { findings.comparison = try await Python.compare(results) }
        try options.show(Report(findings))
    }

    /// The messages that have ended, by the number each asked for: as its unique key says, or the answer it brought.
    private func ended(
        on broker: any Broker, _ results: Results.Listing
    ) async throws -> [MessageID: UInt32] {
        var numbers: [MessageID: UInt32] = [:]
        for answer in results.answers.values {
            if let id = MessageID(answer.message) { numbers[id] = answer.n }
        }
        for state in [MessageState.completed, .dead] {
            var cursor: PageCursor?
            repeat {
                let page = try await broker.inspector.messages(
                    state, in: House.queue, after: cursor, limit: 256)
                for record in page.messages where numbers[record.id] == nil {
                    guard let key = record.uniqueKey, key.hasPrefix("F("), key.hasSuffix(")"),
                        let n = UInt32(key.dropFirst(2).dropLast())
                    else { continue }
                    numbers[record.id] = n
                }
                cursor = page.next
            } while cursor != nil
        }
        return numbers
    }
}
