// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Godwit

/// Worker processes at work on one queue, some of which are killed and paused at random moments.
///
/// A moment is a number of starts after the last one, drawn from the seed; the victim is the process
/// that has just begun a message. It is stopped first and looked at: only one that holds running
/// and prefetched leases is killed or left to sleep past its leases, any other goes on.
struct Chaos {
    /// The run did not come to its end.
    struct Stuck: Error, CustomStringConvertible {
        let description: String
    }

    struct Pause {
        var process: WorkerProcess
        var since: Timestamp
        var isResumed = false
    }

    let plan: Plan
    let store: Store
    let queue: Queue
    let journal = Journal()
    var random: Xoshiro
    var processes: [Int: WorkerProcess] = [:]
    var started = 0
    var killed: Set<Int> = []
    var everPaused: Set<Int> = []
    var pauses: [Int: Pause] = [:]
    var pausesDone = 0
    /// Leases that each kill left behind.
    var orphans: [Int] = []
    /// Moments that did not do: nothing was running, nothing prefetched, or it held the file's lock.
    var declined = 0
    var nextFault = 0
    var load: LoadBook

    init(_ plan: Plan, on store: Store) {
        self.plan = plan
        self.store = store
        queue = Queue("crash", on: store.broker)
        random = Xoshiro(seed: plan.seed)
        load = LoadBook(hasFailures: plan.hasFailures, seed: plan.seed &+ 1)
    }

    private var killsLeft: Int { plan.kills - orphans.count }
    private var pausesLeft: Int { plan.pauses - pausesDone - pauses.count }
    private var now: Timestamp { queue.broker.time.now() }

    /// Runs it all and returns when the queue is drained and the processes have ended.
    mutating func run() async throws {
        var settings = QueueSettings()
        // Why: at the end every message's record is looked at.
        settings.keepRecords = 10_000_000
        settings.keepMilliseconds = 86_400_000
        settings.keepDead = 10_000_000
        settings.maxMessages = 10_000_000
        try await queue.broker.operator.apply(settings, to: queue.name)
        try await load.enqueue(plan.messages, to: queue)
        do {
            for _ in 0..<plan.processes { try start() }
            draw()
            try await disturb()
            try await end()
        } catch {
            for process in processes.values {
                process.signal(SIGKILL)
                _ = await process.end()
            }
            throw error
        }
    }

    private mutating func start() throws {
        let index = started
        started += 1
        let arguments =
            [store.name, queue.name.text, "\(Self.milliseconds(plan.lease))", "10000"]
            + (plan.defect.map { [$0.rawValue] } ?? [])
        processes[index] = try WorkerProcess(index: index, arguments) { [journal] reports in
            journal.hear(reports, from: index)
        }
    }

    static func milliseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    }

    private mutating func draw() {
        nextFault = journal.read { $0.starts } + Int.random(in: 30...250, using: &random)
    }

    // MARK: The loop

    /// Goes on until all kills and pauses are done and nothing is left in the queue.
    private mutating func disturb() async throws {
        var lines = 0
        var progress = now
        var looked = Timestamp(milliseconds: 0)
        while true {
            await tick()
            try await checkPauses()
            let (heard, starts, victim) = journal.read { ($0.lines, $0.starts, $0.lastStarter) }
            if let ended = processes.values.first(where: \.hasEnded) {
                throw Stuck(
                    description:
                        "process \(ended.index) has ended by itself with \(await ended.end())")
            }
            if killsLeft + pausesLeft > 0, starts >= nextFault, let victim {
                if try await disturb(victim) { draw() } else { nextFault = starts + 1 }
            }
            if heard != lines {
                lines = heard
                progress = now
            } else if now - progress > plan.patience {
                throw Stuck(description: try await account("nothing was heard"))
            }
            guard now - looked > .milliseconds(100) else { continue }
            looked = now
            let counts = try await queue.broker.inspector.counts(of: queue.name)
            if killsLeft + pausesLeft + pauses.count == 0 {
                if counts.isDrained { return }
            } else if counts.ready < 500 {
                // The faults need something to hit, however fast the machine is.
                guard load.accepted.count < plan.messages * 20 else {
                    throw Stuck(description: try await account("the faults never end"))
                }
                try await load.enqueue(1000, to: queue)
            }
        }
    }

    /// Waits until something is heard, and no longer than a while.
    private func tick() async {
        let timer = queue.broker.time.schedule(after: .milliseconds(50)) { [journal] in
            journal.changed.fire()
        }
        await journal.changed.wait()
        timer.cancel()
    }

    private func account(_ what: String) async throws -> String {
        let counts = try await queue.broker.inspector.counts(of: queue.name)
        return """
            \(what) for \(plan.patience): \(orphans.count) of \(plan.kills) kills, \(pausesDone) of \
            \(plan.pauses) pauses; ready \(counts.ready), scheduled \(counts.scheduled), leased \
            \(counts.leased), suspects \(counts.suspects), completed \(counts.completed) of \
            \(counts.enqueued); seed \(plan.seed)
            """
    }

    // MARK: Faults

    /// Kills or pauses a process if it holds what it must; false when it does not.
    private mutating func disturb(_ victim: Int) async throws -> Bool {
        guard let process = processes[victim], pauses[victim] == nil else { return false }
        let mayPause = pausesLeft > 0 && pauses.count < 2
        guard killsLeft > 0 || mayPause else { return false }
        let isPause =
            mayPause && Int.random(in: 0..<killsLeft + pausesLeft, using: &random) >= killsLeft
        guard isPause || killsLeft > 0, process.stop() else { return false }
        let leases: Set<Run>
        if plan.defect == .earlyAck {
            // Its leases are gone already: what it said must do.
            leases = journal.read { $0.held(by: victim) }
        } else {
            leases = try await self.leases(of: journal.read { $0.numbers[victim] })
        }
        let (running, prefetched) = journal.read { state in
            (leases.intersection(state.running[victim] ?? []), state.prefetched(leases))
        }
        guard !running.isEmpty, !prefetched.isEmpty else {
            declined += 1
            process.resume()
            return false
        }
        if isPause { return await pause(process, leases) }
        process.signal(SIGKILL)
        _ = await process.end()
        processes[victim] = nil
        killed.insert(victim)
        orphans.append(running.count + prefetched.count)
        try start()
        return true
    }

    private func leases(of number: UInt32?) async throws -> Set<Run> {
        var leases: Set<Run> = []
        var cursor: PageCursor?
        repeat {
            let page = try await queue.broker.inspector.messages(
                .leased, in: queue.name, after: cursor, limit: 1000)
            for record in page.messages where record.worker == number {
                leases.insert(Run(id: record.id, count: record.count))
            }
            cursor = page.next
        } while cursor != nil
        return leases
    }

    private mutating func pause(_ process: WorkerProcess, _ leases: Set<Run>) async -> Bool {
        // Why: one that was stopped inside a commit holds the file's lock, and with it everybody:
        // no lease can be taken over then, so it is no pause of the kind we want.
        guard await store.canBeWritten(beside: process) else {
            declined += 1
            return false
        }
        journal.watch(leases, of: process.index)
        everPaused.insert(process.index)
        pauses[process.index] = Pause(process: process, since: now)
        return true
    }

    /// Wakes those whose messages another has begun, and lets those go who have heard of it.
    private mutating func checkPauses() async throws {
        for (index, pause) in pauses {
            let (isOvertaken, isTold) = journal.read {
                ($0.overtaken.contains(index), $0.told.contains(index))
            }
            if !pause.isResumed, isOvertaken {
                pauses[index]?.isResumed = true
                pause.process.resume()
            } else if pause.isResumed, isTold {
                pauses[index] = nil
                journal.forget(index)
                pausesDone += 1
            } else if now - pause.since > plan.patience {
                let what = pause.isResumed ? "was not told" : "was not overtaken"
                throw Stuck(description: try await account("process \(index) \(what)"))
            }
        }
    }

    /// Ends the processes as an operator would.
    private mutating func end() async throws {
        for process in processes.values { process.signal(SIGTERM) }
        let timer = queue.broker.time.schedule(after: plan.patience) { [processes] in
            for process in processes.values { process.signal(SIGKILL) }
        }
        defer { timer.cancel() }
        for process in processes.values {
            let status = await process.end()
            let saidBye = journal.read { $0.byes.contains(process.index) }
            guard status == 0, saidBye else {
                throw Stuck(description: "process \(process.index) ended with status \(status)")
            }
        }
        processes = [:]
    }
}
