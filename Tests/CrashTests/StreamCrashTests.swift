// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Godwit
import GodwitStreams
import Synchronization
import Testing

extension Crash {
    @Test(arguments: StoreKind.allCases)
    func `killed and paused stream workers keep order, window, state and messages in step`(
        _ kind: StoreKind
    ) async throws {
        try await withStore(kind) { store in
            var chaos = StreamChaos(on: store)
            print("stream crash tests on \(kind.rawValue): GODWIT_SEED=\(chaos.seed)")
            try await chaos.run()
            let findings = try await chaos.findings()
            print(
                """
                stream crash tests on \(kind.rawValue): \(chaos.orphans.count) kills, points in hand \
                per kill \(chaos.orphans); \(chaos.pausesDone) pauses; \(chaos.appended) points, \
                \(chaos.journal.read { $0.began }) runs; seed \(chaos.seed)
                """)
            #expect(chaos.orphans.count == chaos.kills && chaos.pausesDone == chaos.pauses)
            #expect(chaos.orphans.allSatisfy { $0 > 0 }, "each kill hit points in hand")
            let disorder = chaos.journal.read { $0.disorder }
            #expect(disorder == [], "I7 a handler saw another order, window or state")
            #expect(findings == [], "I1, I3, I7")
            #expect(chaos.journal.read { $0.began } > chaos.appended, "something ran again")
        }
    }
}

/// What the stream's workers say, put together.
final class StreamJournal: Sendable {
    struct State: Sendable {
        var running: [Int: Set<CrashPoint>] = [:]
        var began = 0
        /// Who has begun a point of each key last.
        var holders: [Int: Int] = [:]
        var last: Int?
        var disorder: [CrashPoint] = []
        var lines = 0
        /// What paused processes had in hand, until another begins it.
        var watched: [Int: Set<CrashPoint>] = [:]
        var overtaken: Set<Int> = []
    }

    private let state = Mutex(State())
    let changed = Signal()

    func read<R: Sendable>(_ body: (State) -> R) -> R { state.withLock { body($0) } }

    func watch(_ points: Set<CrashPoint>, of index: Int) {
        state.withLock { $0.watched[index] = points }
    }

    func forget(_ index: Int) {
        state.withLock { state in
            state.watched[index] = nil
            state.overtaken.remove(index)
            state.running[index] = nil
        }
    }

    func hear(_ reports: [Report], from index: Int) {
        state.withLock { state in
            for case .point(let point, let move) in reports {
                state.lines += 1
                switch move {
                case .began:
                    state.began += 1
                    state.last = index
                    state.holders[point.key] = index
                    state.running[index, default: []].insert(point)
                    for (other, points) in state.watched
                    where other != index
                        && points.contains(where: { $0.key == point.key && $0.place <= point.place }
                        )
                    {
                        state.overtaken.insert(other)
                    }
                case .ended, .failed: state.running[index]?.remove(point)
                case .disorder: state.disorder.append(point)
                }
            }
        }
        changed.fire()
    }
}

/// Worker processes at work on one stream, some of which are killed and paused at random moments.
struct StreamChaos {
    let store: Store
    let stream: KeyedStream<CrashPoint, CrashState>
    let journal = StreamJournal()
    let seed: UInt64
    let kills: Int
    let pauses: Int
    var random: Xoshiro
    var processes: [Int: WorkerProcess] = [:]
    var started = 0
    var orphans: [Int] = []
    var pausesDone = 0
    var declined = 0
    var appended = 0
    private var places = 0
    private var nextFault = 50
    private var paused: [Int: Timestamp] = [:]

    static let keys = 200
    static let lease = Duration.milliseconds(1500)

    init(on store: Store) {
        let environment = ProcessInfo.processInfo.environment
        func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
        self.store = store
        stream = CrashStream.make("crash", on: store.broker)
        seed = environment["GODWIT_SEED"].flatMap(UInt64.init) ?? .random(in: 0 ... .max)
        kills = number("GODWIT_CRASH_KILLS") ?? 50
        pauses = number("GODWIT_CRASH_PAUSES") ?? 20
        random = Xoshiro(seed: seed)
    }

    private var now: Timestamp { store.broker.time.now() }
    private var isDone: Bool { orphans.count >= kills && pausesDone >= pauses && paused.isEmpty }

    mutating func run() async throws {
        try await append(100)
        do {
            for _ in 0..<4 { try start() }
            try await disturb()
            for process in processes.values { process.signal(SIGTERM) }
            for process in processes.values { _ = await process.end() }
        } catch {
            for process in processes.values {
                process.signal(SIGKILL)
                _ = await process.end()
            }
            throw error
        }
    }

    /// So many more points for every key.
    private mutating func append(_ count: Int) async throws {
        for place in places..<places + count {
            try await stream.append(
                contentsOf: (0..<Self.keys).map { CrashPoint(key: $0, place: place) })
        }
        places += count
        appended += count * Self.keys
    }

    private mutating func start() throws {
        let index = started
        started += 1
        let arguments = [
            store.name, stream.name.text, "\(Chaos.milliseconds(Self.lease))", "0", "stream",
        ]
        processes[index] = try WorkerProcess(index: index, arguments) { [journal] reports in
            journal.hear(reports, from: index)
        }
    }

    private mutating func disturb() async throws {
        var progress = now
        var lines = 0
        var looked = Timestamp(milliseconds: 0)
        while true {
            let timer = store.broker.time.schedule(after: .milliseconds(50)) { [journal] in
                journal.changed.fire()
            }
            await journal.changed.wait()
            timer.cancel()
            try await checkPauses()
            let (heard, began, victim) = journal.read { ($0.lines, $0.began, $0.last) }
            if !isDone, began >= nextFault, let victim {
                if try await disturb(victim) {
                    nextFault = began + Int.random(in: 30...250, using: &random)
                } else {
                    nextFault = began + 1
                }
            }
            if heard != lines {
                lines = heard
                progress = now
            } else if now - progress > .seconds(60) {
                throw Chaos.Stuck(description: "nothing was heard for a minute; seed \(seed)")
            }
            guard now - looked > .milliseconds(200) else { continue }
            looked = now
            let counts = try await store.broker.streamInspector.counts(ofStream: stream.name)
            if isDone, counts.isDrained { return }
            if !isDone, counts.pending < 2000 { try await append(20) }
        }
    }

    private mutating func disturb(_ victim: Int) async throws -> Bool {
        guard let process = processes[victim], paused[victim] == nil, process.stop() else {
            return false
        }
        // Why `try?`: one that was stopped in the middle of a step may hold up readers too.
        let begun = journal.read { state in
            (state.running[victim] ?? []).filter { state.holders[$0.key] == victim }
        }
        guard let running = try? await held(begun) else {
            process.resume()
            return false
        }
        let mayPause = pausesDone + paused.count < pauses && paused.count < 2
        let mayKill = orphans.count < kills
        let isPause =
            mayPause && (!mayKill || Int.random(in: 0..<kills + pauses, using: &random) < pauses)
        guard !running.isEmpty, isPause || mayKill else {
            process.resume()
            return false
        }
        if isPause {
            // Why: one that was stopped inside a commit holds the file's lock, and with it everybody.
            guard await store.canBeWritten(beside: process) else { return false }
            journal.watch(running, of: victim)
            paused[victim] = now
            return true
        }
        process.signal(SIGKILL)
        _ = await process.end()
        processes[victim] = nil
        journal.forget(victim)
        orphans.append(running.count)
        try start()
        return true
    }

    /// Those of the points that are leased by this very run: a process that was paused before goes on
    /// with what it had in hand, which others have passed. Nil while a suspect runs somewhere: one whose
    /// worker is killed while it runs alone is condemned by right, and not what is looked for here.
    private func held(_ running: Set<CrashPoint>) async throws -> Set<CrashPoint>? {
        let lanes = try await store.broker.streamInspector.lanes(
            of: stream.name, by: .lag, limit: Self.keys)
        let leased = lanes.filter { $0.phase == .leased }
        if leased.contains(where: { $0.lost >= 2 }) { return nil }
        let positions = Dictionary(uniqueKeysWithValues: leased.map { ($0.key, Int($0.position)) })
        return running.filter { point in
            positions["key-\(point.key)"].map { $0 <= point.place } ?? false
        }
    }

    /// Wakes those whose points another has begun.
    private mutating func checkPauses() async throws {
        for (index, since) in paused {
            if journal.read({ $0.overtaken.contains(index) }) {
                paused[index] = nil
                pausesDone += 1
                journal.forget(index)
                processes[index]?.resume()
            } else if now - since > .seconds(20), declined < 5 {
                // Its leases had run out before it was stopped: no pause of the kind we want.
                declined += 1
                paused[index] = nil
                journal.forget(index)
                processes[index]?.resume()
            } else if now - since > .seconds(60) {
                var lanes: [String] = []
                for point in journal.read({ $0.watched[index] ?? [] }) {
                    let lane = try await store.broker.streamInspector.lane(
                        "key-\(point.key)", window: 0, in: stream.name)
                    lanes.append(
                        "\(point.key)/\(point.place): \(lane.map { "\($0.summary)" } ?? "gone")")
                }
                let counts = try await store.broker.streamInspector.counts(ofStream: stream.name)
                throw Chaos.Stuck(
                    description: """
                        process \(index) was not overtaken, with \(orphans.count) kills and \
                        \(pausesDone) pauses done; \(lanes); \(counts); seed \(seed)
                        """)
            }
        }
    }

    // MARK: What is true at the end

    func findings() async throws -> [String] {
        var findings: [String] = []
        var expected = CrashState()
        for place in 0..<places { expected.take(CrashPoint(key: 0, place: place)) }
        let states = StreamCoding<CrashState>.messagePack
        let points = StreamCoding<CrashPoint>.messagePack
        let inspector = store.broker.streamInspector
        for key in 0..<Self.keys {
            guard
                let lane = try await inspector.lane(
                    "key-\(key)", window: CrashStream.window - 1, in: stream.name)
            else {
                findings.append("key \(key) is gone")
                continue
            }
            let state = try lane.memory.state.withUnsafeBytes { try states.decode($0) }
            let window = try lane.memory.window.map { point in
                try point.body.withUnsafeBytes { try points.decode($0) }.place
            }
            if state != expected { findings.append("key \(key): \(state)") }
            if Int(lane.summary.position) != places || lane.summary.pending != 0 {
                findings.append("key \(key): \(lane.summary)")
            }
            if window != Array((places - CrashStream.window + 1)..<places) {
                findings.append("key \(key): window \(window)")
            }
        }
        let alerts = try await store.broker.inspector.counts(of: CrashStream.alerts)
        let tenths = (0..<places).count { $0 % 10 == 0 } * Self.keys
        if alerts.enqueued != tenths {
            findings.append("\(alerts.enqueued) alerts for \(tenths) points")
        }
        let counts = try await inspector.counts(ofStream: stream.name)
        if counts.appended != appended || counts.handled != appended || counts.dead != 0 {
            findings.append("\(counts)")
        }
        return Array(findings.prefix(10))
    }
}
