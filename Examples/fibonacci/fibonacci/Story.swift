// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Foundation
import Godwit
import Synchronization

/// A run from its first message to its last answer, with a worker killed on the way.
struct Story: Sendable {
    var numbers: [UInt32]
    /// Numbers that the service must refuse.
    var refusable: [UInt32]
    var workers: Int
    var concurrency: Int
    var lease: Double
    var kills: Bool
    var checks: Bool
    var service: [String]
    var broker: String
    var results: Results
    /// Longer it may not take.
    var patience: Duration

    /// Where the service listens, and what it counted, as it says by itself.
    private final class Heard: Sendable {
        private struct State {
            var address: ServiceCommand.Listening?
            var process: pid_t?
            var sums: ServiceSums?
            var hasEnded = false
        }
        private let state = Mutex(State())

        var address: ServiceCommand.Listening? { state.withLock(\.address) }
        var process: pid_t? { state.withLock(\.process) }
        var sums: ServiceSums? { state.withLock(\.sums) }
        var hasEnded: Bool { state.withLock(\.hasEnded) }

        func end() { state.withLock { $0.hasEnded = true } }

        func hear(_ process: pid_t, _ line: String) {
            let data = Data(line.utf8)
            state.withLock { state in
                state.process = process
                if state.address == nil {
                    state.address = try? JSONDecoder().decode(
                        ServiceCommand.Listening.self, from: data)
                } else {
                    state.sums =
                        (try? JSONDecoder().decode(ServiceSums.self, from: data)) ?? state.sums
                }
            }
        }
    }

    func run() async throws -> Report {
        if checks { try await Python.find() }
        let findings = try await House.with(broker) { try await run(on: $0) }
        guard checks else { return Report(findings) }
        House.say("comparing \(findings.results.answers.count) results with Python's integers")
        var compared = findings
        compared.comparison = try await Python.compare(results)
        return Report(compared)
    }

    private func run(on broker: any Broker) async throws -> Report.Findings {
        let before = try await broker.inspector.counts(of: House.queue)
        guard before.isDrained else {
            throw Wrong(
                """
                the queue '\(House.queue)' holds \(before.ready + before.scheduled + before.leased) \
                message(s) of an earlier run. Let `fibonacci work` do them, or name another store by \
                --broker or --into.
                """)
        }
        let crew = try Crew()
        let heard = Heard()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { heard.end() }
                try await crew.run(
                    ["service", "--port", "0", "--ends-with-starter"] + service, heard.hear)
            }
            let address: ServiceCommand.Listening
            while true {
                if let said = heard.address {
                    address = said
                    break
                }
                // Its error comes from the group.
                if heard.hasEnded { try await group.waitForAll() }
                try await Task.sleep(for: .milliseconds(5))
            }
            House.say(
                """
                \(numbers.count) numbers up to F(\(numbers.max() ?? 0)), \(workers) workers of \
                \(concurrency) calls, lease \(lease) s;
                the service is on port \(address.port)
                """)
            let start = ContinuousClock.now
            var findings = try await work(on: broker, crew, heard, address, before)
            findings.seconds = (ContinuousClock.now - start) / .seconds(1)
            if let process = heard.process { kill(process, SIGTERM) }
            try await group.waitForAll()
            findings.service = heard.sums
            return findings
        }
    }

    private func work(
        on broker: any Broker, _ crew: Crew, _ heard: Heard, _ address: ServiceCommand.Listening,
        _ before: QueueCounts
    ) async throws -> Report.Findings {
        var asked: [MessageID: UInt32] = [:]
        let all = numbers + refusable
        for (n, accepted) in zip(all, try await House.enqueue(all, on: broker)) {
            asked[accepted.id] = n
        }
        var findings = Report.Findings()
        (findings.asked, findings.refusable) = (numbers, refusable)
        (findings.isKillDue, findings.isComparisonDue) = (kills, checks)
        let killed = try await drain(broker, crew, heard, address, before)
        findings.killed = killed.map { member, held in
            Killed(
                worker: member.place, process: member.process,
                held: held.compactMap { asked[$0] }.sorted())
        }
        findings.courses = try await Courses(broker: broker, place: crew.place(of:)).read(asked)
        findings.results = try results.listing()
        let after = try await broker.inspector.counts(of: House.queue)
        findings.completed = after.completed - before.completed
        return findings
    }

    /// Runs the workers until nothing is left; returns whom it killed and what that one held.
    private func drain(
        _ broker: any Broker, _ crew: Crew, _ heard: Heard, _ address: ServiceCommand.Listening,
        _ before: QueueCounts
    ) async throws -> (Crew.Member, held: [MessageID])? {
        let arguments = [
            "--broker", self.broker, "--service",
            "\(address.host):\(address.port)", "--results", results.folder, "--drain",
            "--concurrency", "\(concurrency)", "--lease", "\(lease)",
        ]
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for place in 1...workers { group.addTask { try await crew.work(place, arguments) } }
            var progress = Progress(total: numbers.count + refusable.count)
            var killed: (Crew.Member, held: [MessageID])?
            let start = ContinuousClock.now
            while true {
                let counts = try await broker.inspector.counts(of: House.queue)
                let done = counts.completed + counts.dead - before.completed - before.dead
                progress.show(done, counts)
                // With nobody left to work it would never be drained; their errors come below.
                if counts.isDrained || crew.ended == workers { break }
                guard !heard.hasEnded else {
                    throw Wrong("the service ended by itself. Its words are above.")
                }
                guard ContinuousClock.now - start < patience else {
                    throw Wrong(
                        """
                        after \(patience.components.seconds) s there are still \(counts.ready) messages ready, \
                        \(counts.scheduled) scheduled and \(counts.leased) leased. Give --patience more, or \
                        fewer numbers.
                        """)
                }
                if kills, killed == nil, done * 2 >= numbers.count {
                    killed = try await crew.killOne(on: broker)
                    if let (member, held) = killed {
                        progress.interrupt()
                        House.say(
                            """
                            SIGKILL to worker \(member.place), process \(member.process), which held \
                            \(held.count) lease(s)
                            """)
                    }
                }
                try await Task.sleep(for: .milliseconds(killed == nil && kills ? 5 : 50))
            }
            progress.interrupt()
            try await group.waitForAll()
            return killed
        }
    }
}
