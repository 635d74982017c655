// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Logging
import Mailing
import ServiceLifecycle

/// What watches beside the mailing: runs go into a history, dead letters to the receiver.
///
/// Any process may run these services; here it is the one that started the workers.
struct Watching: Sendable {
    let broker: any Broker
    let history: any HistoryStore
    private let group: ServiceGroup

    init(
        _ broker: any Broker, into path: String, telling receiver: Receiver, secret: String
    ) throws {
        self.broker = broker
        history = try SQLiteHistory(path: path)
        var watch = AlertWatch.Options()
        watch.interval = .milliseconds(500)
        // Why listed: a webhook may not reach loopback unless the operator of this process says so.
        var sender = AlertSender.Options(
            secrets: SecretReader(
                environment: [
                    "GODWIT_ALERT_URL": "http://127.0.0.1:\(receiver.port)/alerts",
                    "GODWIT_ALERT_SECRET": secret,
                ], folder: nil))
        sender.guardian = DialGuard(listed: [.init(host: "127.0.0.1", port: receiver.port)])
        group = ServiceGroup(
            services: [
                Archiver(broker, into: history), AlertWatch(on: broker, options: watch),
                AlertSender(on: broker, options: sender),
            ], logger: .current)
    }

    /// Runs until ``stop()``.
    func run() async throws { try await group.run() }

    /// Ends what runs, then closes the history.
    func stop() async {
        await group.triggerGracefulShutdown()
    }

    /// Notes on the board what the operator expects, for whoever gives advice: `godwit doctor`, and ``advise(_:)``.
    func expect(deadline: Int) async throws {
        var targets = try await QueueTargets.read(of: Post.queue, from: broker.board)
        // A moment: a time from now on would move along with every look.
        targets.deadlineAt = broker.time.now() + broker.clockOffset + .seconds(deadline)
        try await targets.write(of: Post.queue, to: broker.board)
    }

    /// What would help the queue now, beside what was said before; the same kind is said once, and notes
    /// are left to `godwit doctor`.
    func advise(_ said: inout [Advice]) async throws {
        let source = AdviceSource(broker, history: history)
        for advice in try await source.advice(for: Post.queue)
        where advice.grade > .note && !said.contains(where: { $0.kind == advice.kind }) {
            said.append(advice)
            Post.say("advice: \(advice.sentence)")
        }
    }

    /// Waits until every run is in the history and, if one is due, its alert was delivered; false when
    /// that took longer than `patience`.
    func settle(_ receiver: Receiver, isAlertDue: Bool, patience: Duration) async throws -> Bool {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < patience {
            let waiting = try await broker.eventLog.backlog(of: Post.queue).waiting
            let hasCome = receiver.calls.contains { $0.refusal == nil }
            if waiting == 0, hasCome || !isAlertDue { return true }
            try await Task.sleep(for: .milliseconds(100))
        }
        return false
    }
}

/// What the deadline asks for, from how long the batches took.
struct DeadlinePlan: Encodable, Sendable {
    let deadlineSeconds: Int
    /// Of one job, in seconds.
    let meanRun: Double
    let p95Run: Double
    let slots: Int
    /// When the last job ends on so many slots, at worst.
    let expectedSeconds: Double
    let isInTime: Bool
    /// Nil: no number of workers helps, the jobs must be smaller.
    let slotsNeeded: Int?
    let workersNeeded: Int?
    let jobsShouldBeSmaller: Bool

    /// Nil when the history knows no run of the kind.
    init?(_ story: Story, _ history: any HistoryStore, now: Timestamp) async throws {
        let range = HistoryRange(
            from: now + .seconds(-86_400), to: now + .seconds(1), queue: Post.queue.text,
            kind: SendBatch.name)
        let stats = try await history.stats(range)
        guard let run = stats.first?.run, run.count > 0 else { return nil }
        let slots = story.workers * story.concurrency
        let plan = FinishPlan(
            jobs: story.split.batches.count, meanRun: run.mean / 1000, p95Run: run.p95 / 1000,
            within: Double(story.deadline), slots: slots)
        deadlineSeconds = story.deadline
        meanRun = plan.meanRun
        p95Run = plan.p95Run
        self.slots = slots
        expectedSeconds = plan.expected
        isInTime = plan.isInTime
        slotsNeeded = plan.slotsNeeded
        workersNeeded = plan.slotsNeeded.map {
            ($0 + story.concurrency - 1) / story.concurrency
        }
        jobsShouldBeSmaller = plan.slotsNeeded == nil || plan.hasLongTail
    }

    /// One sentence for people.
    var text: String {
        func brief(_ seconds: Double) -> String { "\((seconds * 100).rounded() / 100) s" }
        guard let workersNeeded, let slotsNeeded else {
            return """
                no number of workers: one job in twenty takes over \(brief(p95Run)) of the \
                \(deadlineSeconds) s by itself, so make the jobs smaller
                """
        }
        let size =
            jobsShouldBeSmaller
            ? "smaller jobs would end sooner with the same slots" : "the jobs are small enough"
        return """
            \(slotsNeeded) slot(s), \(workersNeeded) worker(s), for \(deadlineSeconds) s at \
            \(brief(meanRun)) a job (p95 \(brief(p95Run))); \(size)
            """
    }
}
