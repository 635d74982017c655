// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FibonacciNumbers
import Foundation

/// How a report is printed.
struct ReportOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Flag(help: "A line for every message, not only for the slowest.") var all = false
    @Flag(help: "Let nobody compare the results; else python3 does.") var noCheck = false
    @Option(name: .shortAndLong, help: "text or json.") var output = Format.text

    /// Prints it; throws exit code 1 when something does not add up.
    func show(_ report: Report) throws {
        switch output {
        case .text: print(report.text(all: all))
        case .json: try House.print(report)
        }
        for problem in report.problems { House.say("NOT EXACT: \(problem)") }
        if !report.isExact { throw ExitCode(1) }
    }
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "The whole story; ends with 0 only when every number is answered once and right.",
        discussion: """
            Starts the service and worker processes, asks for numbers, kills one worker half way, waits until \
            nothing is left, and has the results compared with Python's integers. One number more is \
            above the service's bound and must end as a dead letter.
            """)

    @OptionGroup var number: NumberOptions
    @Option(help: "Worker processes.") var workers = 3
    @OptionGroup var worker: WorkerSettings
    @OptionGroup var service: ServiceOptions
    @Option(help: "sqlite:PATH, redis://… or redis+unix://…; a file in --into when left out.")
    var broker: String?
    @Option(help: "Where results and store go; a new temporary directory when left out.")
    var into: String?
    @Option(help: "Seconds that all may take.") var patience = 300
    @Flag(help: "Kill nobody.") var noKill = false
    @Flag(help: "No number that the service must refuse.") var noPoison = false
    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard ((noKill ? 1 : 2)...64).contains(workers) else {
            throw ValidationError(
                "--workers is 2 to 64, since one is killed (1 with --no-kill), not \(workers).")
        }
        guard (1...86_400).contains(patience) else {
            throw ValidationError("--patience is 1 to 86400 seconds, not \(patience).")
        }
        guard number.largest <= service.bound else {
            throw ValidationError(
                "--largest \(number.largest) is above the service's --bound \(service.bound).")
        }
    }

    func run() async throws {
        let folder =
            into
            ?? FileManager.default.temporaryDirectory
            .appendingPathComponent("fibonacci-\(UUID().uuidString.prefix(8))").path
        let results = Results(folder: "\(folder)/results")
        try House.makeFolder(results.folder)
        guard try results.listing().answers.isEmpty else {
            throw Wrong(
                """
                \(results.folder) holds answers of an earlier run, so that nothing would be computed. Name \
                another folder by --into; `fibonacci report` shows what is there.
                """)
        }
        let story = Story(
            numbers: number.numbers, refusable: noPoison ? [] : [service.bound + 1],
            workers: workers, concurrency: worker.concurrency, lease: worker.lease,
            kills: !noKill, checks: !report.noCheck, service: service.arguments,
            broker: broker ?? "sqlite:\(folder)/fibonacci.db", results: results,
            patience: .seconds(patience))
        let outcome = try await story.run()
        try report.show(outcome)
        House.say("results and store: \(folder)")
    }
}
