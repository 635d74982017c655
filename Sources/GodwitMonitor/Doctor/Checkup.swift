// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Looks a store and its queues over: fitness, books, what is stuck, advice, history. Reads only.
///
/// What two reads of a queue in use seem to show need not be so: a suspicion counts only when it is
/// seen twice, `pause` apart. A store that confirms its faults in one step is believed the second time, too.
public struct Checkup: Sendable {
    public struct Options: Sendable {
        /// How many messages of each place are looked at.
        public var limit = 100_000
        /// Between the two looks; two leases let every move that was under way come to its end.
        public var pause: Duration = .seconds(60)
        /// Nil: every queue.
        public var queue: QueueName?

        public init() {}
    }

    /// What was found; nothing but `problem` makes it unsound.
    public struct Report: Sendable, Hashable {
        public var findings: [Diagnosis] = []
        public var faults: [Fault] = []
        public var stuck: [Stuck] = []
        public var advice: [Advice] = []

        public var isClean: Bool { !findings.contains { $0.grade == .problem } }
    }

    let broker: any Broker
    let history: (any HistoryStore)?
    let options: Options

    public init(
        _ broker: any Broker, history: (any HistoryStore)? = nil, options: Options = Options()
    ) {
        self.broker = broker
        self.history = history
        self.options = options
    }

    /// Throws what the store throws when it can't be asked at all.
    public func run() async throws(BrokerError) -> Report {
        var report = Report()
        report.findings = await (broker as? any Diagnosable)?.diagnose() ?? []
        let queues: [QueueName]
        if let queue = options.queue {
            queues = [queue]
        } else {
            let streams = try await (broker as? any StreamBroker)?.streamInspector.streams() ?? []
            queues = Set(try await broker.inspector.queues() + streams).sorted()
        }
        var first: [QueueName: Look] = [:]
        for queue in queues { first[queue] = try await look(queue) }
        if first.values.contains(where: { !$0.isEmpty }) {
            // On the broker's clock, so that tests need not wait.
            await broker.time.sleep(for: options.pause)
            for (queue, seen) in first where !seen.isEmpty {
                first[queue] = seen.seenAgain(in: try await look(queue))
            }
        }
        let source = AdviceSource(broker, history: history)
        var duties = ArchiveDuties()
        for queue in queues {
            report.add(first[queue] ?? Look(), of: queue)
            report.add(try await source.advice(for: queue))
            let backlog = try await broker.eventLog.backlog(of: queue)
            report.add(backlog, of: queue, at: now, isKept: history != nil)
            if history != nil { try await duties.look(at: queue, backlog, on: broker.board) }
        }
        report.add(duties)
        return report
    }

    /// Mends what was found, or says what that would do. What is found now, not what was: each fault is
    /// looked for again in the step that mends it.
    public func repair(
        _ faults: [Fault], isDryRun: Bool = true
    ) async throws(BrokerError) -> [(fault: Fault, outcome: RepairOutcome)] {
        guard let store = broker as? any Repairable else { return [] }
        var outcomes: [(Fault, RepairOutcome)] = []
        for fault in faults {
            outcomes.append((fault, try await store.repair(fault, isDryRun: isDryRun)))
        }
        return outcomes
    }

    private var now: Timestamp { broker.time.now() + broker.clockOffset }

    /// Suspicions of one look.
    struct Look: Hashable {
        var faults: [Fault] = []
        var complaints: [String] = []
        var stuck: [Stuck] = []

        var isEmpty: Bool { faults.isEmpty && complaints.isEmpty && stuck.isEmpty }

        /// What `later` still shows, as it says it. Numbers in sentences change, what they are about does not.
        func seenAgain(in later: Look) -> Look {
            var both = Look()
            let knownFaults = Set(faults.map { "\($0.kind) \($0.place)" })
            both.faults = later.faults.filter { knownFaults.contains("\($0.kind) \($0.place)") }
            let known = Set(complaints.map(Self.withoutNumbers))
            both.complaints = later.complaints.filter { known.contains(Self.withoutNumbers($0)) }
            let stuckBefore = Set(stuck.map { "\($0.kind) \($0.subject)" })
            both.stuck = later.stuck.filter { stuckBefore.contains("\($0.kind) \($0.subject)") }
            return both
        }

        /// Counts change from look to look, ids do not: only whole words of digits go.
        private static func withoutNumbers(_ text: String) -> String {
            text.split(separator: " ").filter { !$0.allSatisfy { $0.isNumber || $0 == "," } }
                .joined(separator: " ")
        }
    }

    private func look(_ queue: QueueName) async throws(BrokerError) -> Look {
        var look = Look()
        if let store = broker as? any Repairable {
            look.faults = try await store.faults(in: queue, limit: options.limit)
        }
        // A fault says what its message's complaint says, and can be mended.
        let told = Set(look.faults.compactMap { $0.message.map { "\($0)" } })
        let sentences = Set(look.faults.map(\.sentence))
        look.complaints = try await broker.inspector.check(queue, limit: options.limit).filter {
            line in
            !sentences.contains(line) && !told.contains { line.contains($0) }
        }
        look.stuck = try await stuck(in: queue)
        return look
    }

    private func stuck(in queue: QueueName) async throws(BrokerError) -> [Stuck] {
        let inspector = broker.inspector
        let targets = try await QueueTargets.read(of: queue, from: broker.board)
        var finder = StuckFinder(queue.text, now: now)
        finder.targets = targets
        let counts = try await inspector.counts(of: queue)
        finder.isPaused = counts.isPaused
        finder.leased = try await page(.leased, queue)
        finder.scheduled = try await page(.scheduled, queue)
        if counts.suspects > 0 { finder.suspects = try await suspects(queue) }
        finder.kinds = try await inspector.kinds(of: queue)
        finder.workers = try await AdviceSource(broker).workers(of: queue)
        if let stream = (broker as? any StreamBroker)?.streamInspector {
            if try await stream.streams().contains(queue) {
                finder.lanes = try await stream.lanes(of: queue, by: .lag, limit: 100)
            }
        }
        return finder.stuck()
    }

    private func page(
        _ state: MessageState, _ queue: QueueName
    ) async throws(BrokerError) -> [MessageRecord] {
        try await broker.inspector.messages(state, in: queue, after: nil, limit: 1000).messages
    }

    /// Suspects stand behind all others: a bounded walk.
    private func suspects(_ queue: QueueName) async throws(BrokerError) -> [MessageRecord] {
        var found: [MessageRecord] = []
        var cursor: PageCursor?
        for _ in 0..<20 {
            let page = try await broker.inspector.messages(
                .ready, in: queue, after: cursor, limit: 1000)
            found += page.messages.filter(\.entry.isSuspect)
            cursor = page.next
            if cursor == nil || found.count >= 100 { break }
        }
        return found
    }
}

extension Checkup.Report {
    mutating func add(_ look: Checkup.Look, of queue: QueueName) {
        let subject = "queue \(queue)"
        if look.faults.isEmpty && look.complaints.isEmpty {
            findings.append(
                Diagnosis(.good, subject, "sound", "states, indexes and counters agree"))
        }
        for fault in look.faults {
            findings.append(
                Diagnosis(.problem, subject, fault.kind.rawValue, fault.sentence))
        }
        for complaint in look.complaints {
            findings.append(Diagnosis(.problem, subject, "unsound", complaint))
        }
        for stuck in look.stuck {
            findings.append(
                Diagnosis(
                    .problem, subject, stuck.kind.rawValue, "\(stuck.sentence) Next: \(stuck.next)")
            )
        }
        faults += look.faults
        stuck += look.stuck
    }

    mutating func add(_ advice: [Advice]) {
        for one in advice {
            // Advice is no fault of the store: a queue may be slow and sound. A clock that steps is one.
            findings.append(
                Diagnosis(
                    one.kind == .clockStep ? .problem : .note, "queue \(one.queue)",
                    one.kind.rawValue, "\(one.sentence) Next: \(one.next)"))
        }
        self.advice += advice
    }

    /// `isKept`: a history is configured, so that waiting events are late even where none was ever archived.
    mutating func add(
        _ backlog: EventBacklog, of queue: QueueName, at now: Timestamp, isKept: Bool
    ) {
        let subject = "events of \(queue)"
        if backlog.dropped > 0 {
            findings.append(
                Diagnosis(
                    .note, subject, "\(backlog.dropped) dropped",
                    "Events were dropped unarchived since the queue was first used: the history has a "
                        + "hole; no message was touched."))
        }
        guard let oldest = backlog.oldestAt, isKept || backlog.archived != nil else { return }
        let age = Double((now - oldest).milliseconds) / 1000
        if age > 300 {
            findings.append(
                Diagnosis(
                    .note, subject, "\(backlog.waiting) wait",
                    "The oldest event waits for the archiver for \(Plain.time(age)): the history is late. "
                        + "See whether the archiver runs and its database answers."))
        }
    }
}

extension RepairOutcome {
    /// The fault is not there any more.
    public var isMended: Bool {
        if case .refused = self { false } else { true }
    }
}

extension Diagnosis {
    /// What became of a fault, or would.
    public init(mending fault: Fault, _ outcome: RepairOutcome, isDone: Bool) {
        let subject = "queue \(fault.queue)"
        let name = fault.kind.rawValue
        switch outcome {
        case .mended(let text):
            self.init(.note, subject, isDone ? "mended \(name)" : "can mend \(name)", text)
        case .gone:
            self.init(
                .note, subject, "\(name) is gone",
                "It was no longer there when it was to be mended.")
        case .refused(let text):
            self.init(.note, subject, "can't mend \(name)", text)
        }
    }
}
