// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Godwit
import Synchronization

/// All that the worker processes have said, in the order heard.
final class Journal: Sendable {
    /// What is known of one run of one message.
    struct Fact: Sendable {
        var process: Int
        /// From the token, when its reserve was reported.
        var attempt: Int?
        var lost: Int?
        var starts = 0
        var ending: Report.Ending?
        var settles: [Report.Settling: Set<Report.Answer>] = [:]
        var isLost = false

        /// The verdicts that the store took.
        var taken: [Report.Settling] { settles.filter { $0.value.contains(.done) }.map(\.key) }
    }

    struct State: Sendable {
        var runs: [Run: Fact] = [:]
        var numbers: [Int: UInt32] = [:]
        /// Started and not ended, by process.
        var running: [Int: Set<Run>] = [:]
        var lines = 0
        var starts = 0
        var lastStarter: Int?
        var staleSettles = 0
        var lateSettles = 0
        var suspectsRun = 0
        var suspectsInCompany: [Run] = []
        var byes: Set<Int> = []
        var ended: Set<Int> = []
        /// Runs whose process is paused, by message: with the process and the number of the run.
        var watched: [MessageID: (process: Int, count: Int)] = [:]
        /// Paused processes of whose messages another has begun a later run.
        var overtaken: Set<Int> = []
        /// Processes that were told since they were resumed that a watched run is not theirs.
        var told: Set<Int> = []
    }

    let changed = Signal()
    private let state = Mutex(State())

    func read<R>(_ body: (inout State) -> sending R) -> sending R { state.withLock { body(&$0) } }

    /// An empty list says that the process has ended.
    func hear(_ reports: [Report], from process: Int) {
        state.withLock { state in
            if reports.isEmpty { state.ended.insert(process) }
            for report in reports { state.hear(report, from: process) }
        }
        changed.fire()
    }

    /// From now on a later run of one of these marks `process` as overtaken.
    func watch(_ runs: Set<Run>, of process: Int) {
        state.withLock { state in
            for run in runs { state.watched[run.id] = (process, run.count) }
        }
    }

    func forget(_ process: Int) {
        state.withLock { state in
            state.watched = state.watched.filter { $0.value.process != process }
            state.overtaken.remove(process)
            state.told.remove(process)
        }
    }
}

extension Journal.State {
    func hasEnded(_ process: Int) -> Bool { ended.contains(process) }

    /// Those of `leases` that nobody has begun.
    func prefetched(_ leases: Set<Run>) -> Set<Run> {
        leases.filter { runs[$0]?.starts ?? 0 == 0 }
    }

    /// What `process` has reserved, as far as it has said, and not ended.
    func held(by process: Int) -> Set<Run> {
        Set(runs.filter { $0.value.process == process && $0.value.ending == nil }.keys)
    }

    mutating func hear(_ report: Report, from process: Int) {
        lines += 1
        switch report {
        case .hello(let number): numbers[process] = number
        case .point: break
        case .bye: byes.insert(process)
        case .reserve(let run, let attempt, let lost):
            runs[run, default: Journal.Fact(process: process)].attempt = attempt
            runs[run]?.lost = lost
        case .start(let run): start(run, process)
        case .end(let run, let ending):
            running[process]?.remove(run)
            runs[run, default: Journal.Fact(process: process)].ending = ending
        case .settle(let run, let verdict, let answer):
            if answer == .stale { staleSettles += 1 }
            settled(run, verdict, answer, process)
        case .lateSettle(let run, let verdict, let answer):
            if answer == .stale { lateSettles += 1 }
            settled(run, verdict, answer, process)
        case .leaseLost(let run):
            runs[run, default: Journal.Fact(process: process)].isLost = true
            tell(run, process)
        }
    }

    private mutating func start(_ run: Run, _ process: Int) {
        starts += 1
        lastStarter = process
        runs[run, default: Journal.Fact(process: process)].starts += 1
        let company = running[process, default: []]
        let isSuspect = runs[run]?.lost ?? 0 >= 2
        if isSuspect { suspectsRun += 1 }
        // I6: a suspect runs with nothing else in flight, and nothing joins it.
        if isSuspect && !company.isEmpty || company.contains(where: { runs[$0]?.lost ?? 0 >= 2 }) {
            suspectsInCompany.append(run)
        }
        running[process, default: []].insert(run)
        if let watched = watched[run.id], watched.count < run.count {
            overtaken.insert(watched.process)
        }
    }

    private mutating func settled(
        _ run: Run, _ verdict: Report.Settling, _ answer: Report.Answer, _ process: Int
    ) {
        runs[run, default: Journal.Fact(process: process)]
            .settles[verdict, default: []].insert(answer)
        if answer == .stale { tell(run, process) }
    }

    private mutating func tell(_ run: Run, _ process: Int) {
        if let watched = watched[run.id], watched.process == process, watched.count == run.count {
            told.insert(process)
        }
    }
}
