// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Subprocess
import Synchronization

#if canImport(System)
import System
#else
import SystemPackage
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Fills the queue, starts the workers, kills one, and counts what became of every file.
struct Demo: Sendable {
    static let queue: QueueName = "files"

    let paths: [String]
    let skipped: Int
    let directory: String
    let workers: Int
    let lease: Duration
    let kills: Bool

    /// A worker process as its starter sees it.
    struct Started: Sendable {
        let process: pid_t
        /// The number in its leases.
        let worker: UInt32
    }

    /// True when every file is accounted for, once each.
    func run() async throws -> Bool {
        let start = ContinuousClock.now
        let broker = try await SQLiteBroker(path: "\(directory)/queue.db")
        let queue = Queue(Self.queue, on: broker)
        var settings = try await broker.operator.settings(of: Self.queue)
        settings.maxMessages = max(settings.maxMessages, paths.count)
        try await broker.operator.apply(settings, to: Self.queue)
        let before = try await broker.inspector.counts(of: Self.queue)
        var begin = 0
        while begin < paths.count {
            let end = min(begin + 200, paths.count)
            try await queue.enqueue(contentsOf: paths[begin..<end].map(DigestFile.init))
            begin = end
        }
        print("\(paths.count) files enqueued, \(workers) workers, lease \(lease)")
        if skipped > 0 {
            print("\(skipped) names skipped: not UTF-8, or not readable as a directory")
        }
        let killed = try await work(broker, after: before)
        let counts = try await broker.inspector.counts(of: Self.queue)
        let isComplete = try await report(
            counts, after: before, killed, broker, ContinuousClock.now - start)
        await broker.shutdown()
        return isComplete
    }

    /// Runs the worker processes until the queue is drained; returns how many leases the killed one held.
    private func work(_ broker: SQLiteBroker, after before: QueueCounts) async throws -> Int? {
        let started = Roster()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    defer { started.ended() }
                    try await runWorker { one in started.add(one) }
                }
            }
            var progress = Progress(total: paths.count)
            var killed: Int?
            while true {
                let counts = try await broker.inspector.counts(of: Self.queue)
                progress.show(counts)
                // With nobody left to work it would never be drained; their errors come below.
                if counts.isDrained || started.endedCount == workers { break }
                let done = counts.completed + counts.dead - before.completed - before.dead
                if kills, killed == nil, done * 2 >= paths.count * 4 / 5 {
                    killed = try await kill(started.workers, broker)
                }
                try await Task.sleep(for: .milliseconds(killed == nil ? 10 : 50))
            }
            progress.end()
            try await group.waitForAll()
            return killed
        }
    }

    /// Stops each worker in turn until one is found with leases of its own, and kills that one.
    private func kill(_ workers: [Started], _ broker: SQLiteBroker) async throws -> Int? {
        for one in workers {
            // Why stop first: between a look and a kill it could settle what it holds.
            guard Self.signal(one.process, SIGSTOP) else { continue }
            let leased = try await broker.inspector.messages(
                .leased, in: Self.queue, after: nil, limit: 256)
            let held = leased.messages.count { $0.worker == one.worker }
            if held > 0 {
                _ = Self.signal(one.process, SIGKILL)
                print(
                    "\(isatty(1) == 1 ? "\n" : "")SIGKILL to worker \(one.process), which held \(held) leases"
                )
                return held
            }
            _ = Self.signal(one.process, SIGCONT)
        }
        return nil
    }

    private static func signal(_ process: pid_t, _ number: Int32) -> Bool {
        #if canImport(Glibc)
        return Glibc.kill(process, number) == 0
        #elseif canImport(Musl)
        return Musl.kill(process, number) == 0
        #else
        return Darwin.kill(process, number) == 0
        #endif
    }

    private func runWorker(_ onStart: @escaping @Sendable (Started) -> Void) async throws {
        guard let program = Bundle.main.executablePath else { throw DemoError.noProgram }
        // `exec` keeps the process: its number is the one that is killed.
        let result = try await Subprocess.run(
            .path("/bin/sh"),
            arguments: [
                "-c", "exec \"$0\" \"$@\"", program, "worker", directory, "\(lease.milliseconds)",
            ], input: .none,
            output: .sequence, error: .currentStandardError
        ) { execution in
            for try await line in execution.standardOutput.strings() {
                if let number = UInt32(line.trimmingCharacters(in: .whitespacesAndNewlines)) {
                    onStart(Started(process: execution.processIdentifier.value, worker: number))
                }
            }
        }
        switch result.terminationStatus {
        case .exited(0), .signaled(SIGKILL): return
        case let status: throw DemoError.worker("\(status)")
        }
    }

    private func report(
        _ counts: QueueCounts, after before: QueueCounts, _ killed: Int?, _ broker: SQLiteBroker,
        _ time: Duration
    ) async throws -> Bool {
        // An earlier run into the same directory has left its counts, and maybe files to do.
        let files = paths.count + before.ready + before.scheduled + before.leased
        let done = counts.completed - before.completed
        let dead = counts.dead - before.dead
        let raw = Results(path: "\(directory)/digests.raw.jsonl")
        let (digests, repeats, torn) = try raw.table()
        try raw.save(digests.sorted { $0.path < $1.path }, as: "\(directory)/digests.jsonl")
        let letters = try await broker.inspector.messages(
            .dead, in: Self.queue, after: nil, limit: 5)
        for letter in letters.messages {
            print("dead: \((letter.reason ?? "no reason").escapedForDisplay)")
        }
        let lost = files - done - dead
        let rows = [
            ("files", "\(files)"), ("done", "\(done)"),
            ("retried", "\(counts.lost + counts.retried + counts.released)"),
            ("dead", "\(dead)"),
            ("lost", "\(lost)"), ("time", "\((Double(time.milliseconds) / 1000).formatted()) s"),
        ]
        let widths = rows.map { max($0.0.count, $0.1.count) }
        func line(_ cells: [String]) -> String {
            zip(cells, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }.joined(
                separator: "  ")
        }
        print("")
        print(line(rows.map(\.0)))
        print(line(rows.map(\.1)))
        print("")
        print(
            """
            \(digests.count) digests in \(directory)/digests.jsonl, once each; \(repeats) repeat(s) and \
            \(torn) torn line(s) of killed runs left out
            """)
        return lost == 0 && digests.count == counts.completed
            && (!kills || killed != nil || paths.count < 100)
    }
}

/// The workers that have said their number.
private final class Roster: Sendable {
    private let list = Mutex<[Demo.Started]>([])
    private let ends = Mutex(0)

    var endedCount: Int { ends.withLock { $0 } }

    func ended() { ends.withLock { $0 += 1 } }

    var workers: [Demo.Started] { list.withLock { $0 } }

    func add(_ one: Demo.Started) { list.withLock { $0.append(one) } }
}

enum DemoError: Error, CustomStringConvertible {
    case noProgram
    case worker(String)

    var description: String {
        switch self {
        case .noProgram: "this program can't find its own file, which it needs to start workers"
        case .worker(let status): "a worker process ended by itself: \(status); its words are above"
        }
    }
}
