// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// One job, kind or key that does not move, and what to do about it.
public struct Stuck: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        case leaseNotReclaimed, noProgress, suspectWaits, kindWithoutWorker, headBlocks, overdue
    }

    public var kind: Kind
    public var queue: String
    /// Its id, kind or key.
    public var subject: String
    public var sentence: String
    /// The next command.
    public var next: String

    public init(_ kind: Kind, queue: String, subject: String, _ sentence: String, next: String) {
        self.kind = kind
        self.queue = queue
        self.subject = subject
        self.sentence = sentence.escapedForDisplay
        self.next = next.escapedForDisplay
    }
}

/// Finds what is stuck in a queue: a pure function of a page of each state and of the workers' beats.
public struct StuckFinder: Sendable {
    /// Leased ones by deadline, scheduled ones by due, suspects as they wait: the first page is enough,
    /// since what is stuck stands at the head.
    public var leased: [MessageRecord] = []
    public var scheduled: [MessageRecord] = []
    public var suspects: [MessageRecord] = []
    public var kinds: [KindCount] = []
    /// Nil where the board can't be read.
    public var workers: [WorkerBeat]?
    /// Keys of a stream whose head has failed, if it is one.
    public var lanes: [LaneSummary] = []
    public var targets = QueueTargets()
    public var isPaused = false
    /// Where no worker says how long its leases are.
    public var lease: Duration = .seconds(30)

    let queue: String
    let now: Timestamp

    public init(_ queue: String, now: Timestamp) {
        self.queue = queue
        self.now = now
    }

    private static let overdue = Duration.seconds(5)
    private static let headAttempts = 3

    public func stuck() -> [Stuck] {
        expired() + idle() + waitingSuspects() + unserved() + blockedHeads() + overdue()
    }

    /// The longest lease that a live worker takes.
    private var longestLease: Duration {
        (workers ?? []).map { .milliseconds($0.leaseMilliseconds) }.max() ?? lease
    }

    private func seconds(_ since: Timestamp) -> Double { Double((now - since).milliseconds) / 1000 }

    /// Deadline and one interval of reclaim are over: reclaim goes along with any reserve.
    private func expired() -> [Stuck] {
        leased.compactMap { message in
            guard let deadline = message.leaseDeadline, deadline + longestLease / 6 < now else {
                return nil
            }
            return Stuck(
                .leaseNotReclaimed, queue: queue, subject: "\(message.id)",
                "The lease of \(message.id) ran out \(Plain.time(seconds(deadline))) ago and nobody "
                    + "took it back: no worker of this queue lives. Start one.",
                next: "godwit worker list --where queue:\(queue)")
        }
    }

    /// Its lease is renewed, and it gets nowhere.
    private func idle() -> [Stuck] {
        var found: [String: Stuck] = [:]
        let beats = (workers ?? []).flatMap(\.running)
        let progress = Dictionary(
            beats.map { ($0.id, $0.progressedAt ?? $0.since) }, uniquingKeysWith: { max($0, $1) })
        func look(_ id: String, since: Timestamp, progressed: Timestamp?, kind: String) {
            let run = seconds(since)
            if let timeout = targets.timeout, run > timeout {
                found[id] = Stuck(
                    .noProgress, queue: queue, subject: id,
                    "\(id) (\(kind)) has run for \(Plain.time(run)); its timeout is "
                        + "\(Plain.time(timeout)). Its renewals stop and its handler is cancelled; if it "
                        + "does not end, its lease does.",
                    next: "godwit job cancel \(id)")
            } else if let limit = targets.progressTimeout, let progressed,
                seconds(progressed) > limit
            {
                found[id] = Stuck(
                    .noProgress, queue: queue, subject: id,
                    "\(id) (\(kind)) is renewed, but its last checkpoint is "
                        + "\(Plain.time(seconds(progressed))) old; \(Plain.time(limit)) are allowed. See "
                        + "what its worker does; cancel it if nothing.",
                    next: "godwit job show \(id)")
            }
        }
        for run in beats {
            look(
                run.id, since: run.since, progressed: run.progressedAt ?? run.since, kind: run.kind)
        }
        for message in leased where (message.leaseDeadline ?? now) >= now {
            guard let since = message.executedAt, found["\(message.id)"] == nil else { continue }
            // The store does not say when a checkpoint was written; a beat does.
            look(
                "\(message.id)", since: since, progressed: progress["\(message.id)"],
                kind: message.kind ?? "kind unknown")
        }
        return found.values.sorted { $0.subject < $1.subject }
    }

    private func waitingSuspects() -> [Stuck] {
        if isPaused { return [] }
        return suspects.compactMap { message in
            guard message.entry.isSuspect, message.entry.readyAt + longestLease * 2 < now else {
                return nil
            }
            return Stuck(
                .suspectWaits, queue: queue, subject: "\(message.id)",
                "\(message.id) has lost \(message.entry.lost) leases and waits to run alone for "
                    + "\(Plain.time(seconds(message.entry.readyAt))): a worker takes it only when it "
                    + "holds nothing else. Add a worker, or make the jobs shorter.",
                next: "godwit job show \(message.id)")
        }
    }

    private func unserved() -> [Stuck] {
        guard let workers, !isPaused else { return [] }
        return kinds.compactMap { kind in
            guard kind.ready > 0, !workers.contains(where: { $0.knows(kind.kind) }),
                let since = kind.oldestReadyAt, seconds(since) > Adviser.patience
            else { return nil }
            return Stuck(
                .kindWithoutWorker, queue: queue, subject: kind.kind,
                "No worker for '\(kind.kind)': \(kind.ready) are ready, the oldest for "
                    + "\(Plain.time(seconds(since))). They wait and are not failed.",
                next: "godwit worker list --where queue:\(queue)")
        }
    }

    private func blockedHeads() -> [Stuck] {
        lanes.compactMap { lane in
            guard lane.attempt >= Self.headAttempts else { return nil }
            return Stuck(
                .headBlocks, queue: queue, subject: lane.key,
                "The key '\(lane.key)' waits behind its oldest point, which failed "
                    + "\(lane.attempt) times; \(lane.pending) wait. Mend what it fails on and resume "
                    + "the key, or skip the point.",
                next: "godwit stream show \(queue) \(lane.key)")
        }
    }

    private func overdue() -> [Stuck] {
        guard let first = scheduled.compactMap(\.dueAt).min(), first + Self.overdue < now else {
            return []
        }
        let late = scheduled.count { ($0.dueAt ?? now) + Self.overdue < now }
        return [
            Stuck(
                .overdue, queue: queue, subject: queue,
                "\(late) scheduled messages are due and not ready, the first for "
                    + "\(Plain.time(seconds(first))): promotion goes along with any reserve, so no "
                    + "worker of this queue lives, or the store's clock stepped.",
                next: "godwit doctor")
        ]
    }
}
