// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
import MessagePack
public import ServiceLifecycle

/// Looks at a store every few seconds and enqueues an alert where a rule says so.
///
/// Any process may run one; a duty on the board lets one work at a time. What it decided is kept before it
/// is enqueued, and the ids of alerts follow from what they say, so a restart neither repeats an alert nor
/// forgets one; only counts may be off after a crash, and a digest may be said again.
///
/// Bounded: at most 25,000 dead letters of one queue in a look, the rest in the next; 1,000 queues; 100
/// alerts that wait for the store. It reads pages and counters, never bodies, and blocks no message.
public actor AlertWatch: Service {
    public struct Options: Sendable {
        /// Between two looks.
        public var interval = Duration.seconds(5)
        /// How long the duty outlives its holder.
        public var duty = Duration.seconds(30)
        /// Delivers at once what can't be enqueued because the store refuses writes; nil: such an alert
        /// is only logged.
        public var sender: AlertSender?
        public var queues = 1000

        public init() {}
    }

    /// What one look did.
    package struct Report: Sendable {
        package var isOnDuty = false
        package var messages: [AlertMessage] = []
        /// New on the queue, known there already, and not taken because it was full.
        package var enqueued = 0
        package var known = 0
        package var dropped = 0
    }

    nonisolated let broker: any Broker
    let options: Options
    let book: AlertBook
    let duty: Duty

    var memory: AlertMemory?
    var isOnDuty = false
    var isPrepared = false
    var beats: [WorkerBeat] = []
    /// As they were when their dead letters were last read.
    var lastCounts: [QueueName: QueueCounts] = [:]
    /// Seen and not judged yet: a look that was cut short leaves them to the next.
    var unheard: [AlertSignal] = []
    /// Since when the store has refused writes.
    var refusedSince: Timestamp?
    var refusal = ""
    /// Whether this look may try to enqueue.
    var takesWrites = true
    /// What was delivered directly of messages that still wait for another channel of theirs.
    var told: Set<MessageID> = []
    private let signal = Signal()

    public init(on broker: any Broker, options: Options = Options()) {
        self.broker = broker
        self.options = options
        book = AlertBook(broker.board)
        duty = Duty(
            "alerts", owner: "\(MessageID(at: broker.time.now()))",
            time: max(options.duty, options.interval * 3))
    }

    /// Looks until a graceful shutdown or until its task is cancelled. Errors of the store are logged.
    public func run() async throws {
        await withGracefulShutdownHandler {
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                await look()
                let timer = broker.time.schedule(after: options.interval) { [signal] in
                    signal.fire()
                }
                await signal.wait()
                timer.cancel()
            }
        } onGracefulShutdown: { [signal] in
            signal.fire()
        }
        if isOnDuty { await duty.leave(on: broker.board) }
    }

    var now: Timestamp { broker.time.now() + broker.clockOffset }

    /// One look at everything.
    @discardableResult
    package func look() async -> Report {
        var report = Report()
        do {
            try await takeDuty()
            guard isOnDuty else {
                giveUp()
                return report
            }
            report.isOnDuty = true
            if memory == nil { try await load() }
            if takesWrites { try await sendWaiting(&report) }
            try await keepDetails()
            let rules = try await book.rules()
            try await see(by: rules)
            let messages = memory?.judge.judge(unheard + refusals(rules), at: now) ?? []
            unheard = []
            report.messages += messages
            wait(for: messages)
            // Why in this order: what is decided is kept before it is sent; what was read is marked as
            // read when what came of it is kept; and what was sent is forgotten last.
            try await keepDecisions()
            try await sendWaiting(&report)
            try await keepDetails()
            try await keepDecisions()
        } catch {
            note(error)
            await sayDirectly(&report)
        }
        return report
    }

    /// Nothing of this process's memory counts any more: another one has the duty.
    func giveUp() {
        memory = nil
        isOnDuty = false
        lastCounts = [:]
        unheard = []
        told = []
    }

    private func takeDuty() async throws(BrokerError) {
        takesWrites = true
        do {
            let had = isOnDuty
            isOnDuty = try await duty.take(on: broker.board)
            if had, !isOnDuty { giveUp() }
        } catch {
            // Why: a store that refuses writes refuses this one first; its last holder goes on.
            guard case .storageFull = error, isOnDuty else { throw error }
            note(error)
        }
        if isOnDuty, takesWrites { try await probe() }
    }

    /// Asks for a write that a full store refuses. Why: notes of the board are taken by a Redis that is
    /// over its memory, so that who drains it keeps his duty, and would never tell.
    private func probe() async throws(BrokerError) {
        do {
            try await prepareQueue()
            // Why not while some wait: only their being taken proves that there is room for them.
            if memory?.waiting.isEmpty ?? true { refusedSince = nil }
        } catch {
            guard case .storageFull = error else { throw error }
            note(error)
        }
    }

    func note(_ error: any Error) {
        if case BrokerError.storageFull(let problem) = error {
            takesWrites = false
            refusedSince = refusedSince ?? now
            refusal = problem.cause
        }
        Logger.current.warning("alerts: a look was cut short: \("\(error)".escapedForDisplay)")
    }
}
