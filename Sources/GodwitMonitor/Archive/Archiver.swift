// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
public import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How an ``Archiver`` works.
public struct ArchiverOptions: Sendable {
    public var retention = HistoryRetention()
    /// The longest wait between two looks at a queue where nothing happens.
    public var longestWait = Duration.seconds(5)
    /// The shortest, and the first after something happened.
    public var shortestWait = Duration.milliseconds(250)
    /// Samples queues and drops what is old.
    public var samples = true
    /// Rows that go into the history at once; nil: as many as it takes best.
    public var batchRows: Int?
    /// How long the queues of an archiver that died wait for another one.
    public var dutyTime = Duration.seconds(30)

    public init() {}

    /// Rows that are read before they go into a history: what the last page of the log may bring on
    /// top still fits into one call.
    package func rows(at once: Int) -> Int {
        max(1, min(batchRows ?? once, HistoryBounds.rowsPerCall - QueueArchive.mostInPage))
    }
}

/// Moves what happened in every queue of a store into a history.
///
///     event log ─► rows ─► history.add, committed ─► markArchived ─► the store drops them
///
/// Any number of processes may run one; a duty on the store's board lets one work per queue, and
/// another takes over when it dies. At least once: what was added and not marked is added again, and
/// the history tells rows apart by their key. When the history is down, events wait in the store up
/// to its bound, work goes on, and a warning a minute says how many wait and how many were dropped.
public final class Archiver: Service, Sendable {
    let broker: any Broker
    let history: any HistoryStore
    let options: ArchiverOptions
    let owner: String
    private let stopping = Mutex((isStopping: false, signal: Signal?.none))

    public init(
        _ broker: any Broker, into history: any HistoryStore,
        options: ArchiverOptions = ArchiverOptions()
    ) {
        self.broker = broker
        self.history = history
        self.options = options
        owner = "\(getpid())-\(UInt64.random(in: 0 ... .max))"
    }

    /// Works until the service group shuts down or the task is cancelled; ends with the batch in hand.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await work()
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Ends ``run()`` after the batch in hand. Repeated: nothing happens.
    public func stop() {
        let signal = stopping.withLock { state in
            state.isStopping = true
            return state.signal
        }
        signal?.fire()
    }

    var isStopping: Bool { Task.isCancelled || stopping.withLock { $0.isStopping } }

    /// The store's clock.
    var now: Timestamp { broker.time.now() + broker.clockOffset }

    private func sleep(_ duration: Duration) async {
        let signal = Signal()
        let isOver = stopping.withLock { state in
            state.signal = signal
            return state.isStopping
        }
        if isOver { return }
        let timer = broker.time.schedule(after: duration) { signal.fire() }
        await signal.wait()
        timer.cancel()
    }

    // MARK: The loop

    private func work() async {
        var round = ArchiveRound(self)
        while !isStopping {
            await sleep(await round.once())
        }
        await round.giveUp()
    }
}

/// What an archiver knows from one look to the next.
package struct ArchiveRound {
    let archiver: Archiver
    private var queues: [QueueName: QueueArchive] = [:]
    private var listedAt: Timestamp?
    private var upkeep: HistoryUpkeep
    /// Of the store and the history as a whole.
    private var trouble = HistoryTrouble()
    /// Of single queues: one that can't be archived must not stop the others.
    private var troubles: [QueueName: HistoryTrouble] = [:]

    package init(_ archiver: Archiver) {
        self.archiver = archiver
        upkeep = HistoryUpkeep(archiver)
    }

    /// What was said last of the store or the history as a whole.
    package var lastWarning: String? { trouble.lastWarning }

    /// Looks at every queue whose turn it is; returns how long to wait for the next one.
    package mutating func once() async -> Duration {
        do {
            try await list()
        } catch {
            await trouble.tell(error, nil, on: archiver)
            return trouble.wait(from: archiver.now)
        }
        var (next, isOut) = await archive()
        if archiver.options.samples, !archiver.isStopping {
            // Why also in an outage: what one queue calls one may be its own.
            let held = queues.values.filter(\.isHeld).map(\.name).sorted()
            do {
                try await upkeep.once(for: held)
            } catch {
                await trouble.tell(error, nil, on: archiver)
                next = max(next, .seconds(1))
                isOut = true
            }
        }
        if !isOut { trouble.isOver() }
        return next
    }

    /// One turn of each queue; an outage ends it, anything else is the one queue's own trouble.
    private mutating func archive() async -> (wait: Duration, isOut: Bool) {
        var next = archiver.options.longestWait
        var hasWorked = false
        // Why in this order: a queue that ended a round has its next turn after the others.
        let order = queues.keys.sorted {
            (troubles[$0]?.fruitless ?? 0, $0) < (troubles[$1]?.fruitless ?? 0, $1)
        }
        for name in order where !archiver.isStopping {
            guard var queue = queues[name] else { continue }
            if let pause = troubles[name]?.pause(at: archiver.now) {
                next = min(next, pause)
                continue
            }
            do {
                let wait = try await queue.once()
                queues[name] = queue
                troubles[name]?.isOver()
                hasWorked = true
                next = min(next, wait)
            } catch {
                queues[name] = queue
                var own = troubles[name] ?? HistoryTrouble()
                next = min(next, own.wait(from: archiver.now))
                let isOut = Self.isOutage(error)
                if !isOut { await own.tell(error, name, on: archiver) }
                troubles[name] = own
                guard isOut else { continue }
                await trouble.tell(error, name, on: archiver)
                return (hasWorked ? max(next, .seconds(1)) : trouble.wait(from: archiver.now), true)
            }
        }
        return (next, false)
    }

    /// Whether the next queue would most likely meet the same.
    private static func isOutage(_ error: any Error) -> Bool {
        switch error {
        case HistoryError.unavailable, BrokerError.unavailable, BrokerError.unknown,
            BrokerError.storageFull:
            true
        default: false
        }
    }

    private mutating func list() async throws {
        let now = archiver.now
        if let listedAt, now < listedAt + .seconds(5), now >= listedAt { return }
        for name in try await archiver.broker.inspector.queues() where queues[name] == nil {
            queues[name] = QueueArchive(name, archiver)
        }
        listedAt = now
    }

    package mutating func giveUp() async {
        for name in queues.keys { await queues[name]?.giveUp() }
        await upkeep.giveUp()
    }
}

/// What is said and waited while the store or the history can't be reached.
private struct HistoryTrouble {
    private(set) var fruitless = 0
    private(set) var lastWarning: String?
    private var toldAt: Timestamp?
    private var until: Timestamp?

    mutating func isOver() {
        fruitless = 0
        until = nil
    }

    /// 1 s and twice as long each time, up to 30 s, spread so that archivers do not come together.
    mutating func wait(from now: Timestamp) -> Duration {
        fruitless += 1
        let seconds = Double(min(30, 1 << min(fruitless - 1, 5)))
        let wait = Duration.milliseconds(Int64(seconds * 1000 * Double.random(in: 0.7...1)))
        until = now + wait
        return wait
    }

    /// How long is left of the wait; nil: it is over, or the clock was set back.
    func pause(at now: Timestamp) -> Duration? {
        guard let until, now < until, until - now <= .seconds(30) else { return nil }
        return until - now
    }

    /// At the first failure and then once a minute.
    mutating func tell(_ error: any Error, _ queue: QueueName?, on archiver: Archiver) async {
        let now = archiver.now
        if let toldAt, now >= toldAt, now < toldAt + .seconds(60) { return }
        toldAt = now
        guard let queue else {
            return say("the history is behind: \(error)")
        }
        let backlog = try? await archiver.broker.eventLog.backlog(of: queue)
        let waiting = backlog.map { "\($0.waiting) calls wait" } ?? "an unknown number waits"
        let age = backlog?.oldestAt.map { ", the oldest for \((now - $0).milliseconds / 1000) s" }
        say(
            """
            the history of '\(queue)' is behind: \(waiting)\(age ?? ""), \
            \(backlog?.dropped ?? 0) events were dropped; work goes on. \(error)
            """)
    }

    private mutating func say(_ text: String) {
        lastWarning = text
        Logger.current.warning("\(text)")
    }
}
