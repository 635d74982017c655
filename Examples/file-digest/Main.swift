// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitSQLite
import Logging

/// The main job: digests of real files by several worker processes, one of which is killed.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "file-digest",
        abstract: "Size, lines and SHA-256 of many files, by a queue that loses nothing.",
        discussion: """
            Enqueues one message per file into a SQLite queue, works them with several processes, \
            kills one of them half way while it holds leases, and accounts for every file.
            """,
        subcommands: [Run.self, WorkerProcess.self], defaultSubcommand: Run.self)
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Enqueue, work, kill, count.")

    @Option(help: "Where the files are.") var dir = "/usr/share/doc"
    @Option(help: "How many files at most.") var limit = 5000
    @Option(help: "A file of its own, whether it is there or not; may be repeated.") var file:
        [String] = []
    @Option(help: "Worker processes.") var workers = 4
    @Option(help: "Seconds until a dead worker's files run again.") var lease = 3.0
    @Option(help: "Where queue and results go; a new temporary directory when left out.") var into:
        String?
    @Flag(help: "Kill nobody.") var noKill = false

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is 0 or more, not \(limit).") }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers is 1 to 64, not \(workers).")
        }
        guard (0.5...600).contains(lease) else {
            throw ValidationError("--lease is 0.5 to 600 seconds, not \(lease).")
        }
    }

    func run() async throws {
        let directory =
            into
            ?? FileManager.default.temporaryDirectory
            .appendingPathComponent("file-digest-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let files = Files(below: dir, limit: limit)
        let paths = files.paths + file
        guard !paths.isEmpty else {
            throw ValidationError(
                "there is no regular file below \(dir). Name another directory by --dir (make demo DIR=…)."
            )
        }
        let demo = Demo(
            paths: paths, skipped: files.skipped, directory: directory, workers: workers,
            lease: .milliseconds(Int64(lease * 1000)), kills: !noKill)
        let isComplete = try await demo.run()
        if !isComplete { throw ExitCode(1) }
    }
}

/// One worker: a process of its own, so that it can be killed.
struct WorkerProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Works the queue until it is drained.",
        shouldDisplay: false)

    @Argument var directory: String
    @Argument var leaseMilliseconds: Int64

    func run() async throws {
        let broker = try await SQLiteBroker(path: "\(directory)/queue.db")
        let results = Results(path: "\(directory)/digests.raw.jsonl")
        var options = WorkerOptions()
        options.lease = .milliseconds(leaseMilliseconds)
        let worker = Worker(Queue(Demo.queue, on: broker), concurrency: 4, options: options) {
            jobs in
            jobs.handle(DigestFile.self) { job, context in
                try results.append(try job.digest(id: context.id))
            }
        }
        // The starter asks by this number which leases are ours.
        FileHandle.standardOutput.write(Data("\(worker.number)\n".utf8))
        try await worker.run(until: .drained)
        await broker.shutdown()
    }
}
