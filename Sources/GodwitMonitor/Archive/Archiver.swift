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
    private var trouble = HistoryTrouble()

    package init(_ archiver: Archiver) {
        self.archiver = archiver
        upkeep = HistoryUpkeep(archiver)
    }

    /// Looks at every queue whose turn it is; returns how long to wait for the next one.
    package mutating func once() async -> Duration {
        do {
            try await list()
        } catch {
            return trouble.wait(after: error)
        }
        var next = archiver.options.longestWait
        for name in queues.keys.sorted() where !archiver.isStopping {
            guard var queue = queues[name] else { continue }
            do {
                let wait = try await queue.once()
                next = min(next, wait)
                queues[name] = queue
            } catch {
                queues[name] = queue
                await trouble.tell(error, name, on: archiver)
                return trouble.wait(after: error)
            }
        }
        trouble.isOver()
        guard archiver.options.samples, !archiver.isStopping else { return next }
        let held = queues.values.filter(\.isHeld).map(\.name).sorted()
        do {
            try await upkeep.once(for: held)
        } catch {
            await trouble.tell(error, nil, on: archiver)
            return trouble.wait(after: error)
        }
        return next
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
    private var fruitless = 0
    private var toldAt: Timestamp?

    mutating func isOver() { fruitless = 0 }

    /// 1 s and twice as long each time, up to 30 s, spread so that archivers do not come together.
    mutating func wait(after error: any Error) -> Duration {
        fruitless += 1
        let seconds = Double(min(30, 1 << min(fruitless - 1, 5)))
        return .milliseconds(Int64(seconds * 1000 * Double.random(in: 0.7...1)))
    }

    /// At the first failure and then once a minute.
    mutating func tell(_ error: any Error, _ queue: QueueName?, on archiver: Archiver) async {
        let now = archiver.now
        if let toldAt, now >= toldAt, now < toldAt + .seconds(60) { return }
        toldAt = now
        guard let queue else {
            return Logger.current.warning("the history is behind: \(error)")
        }
        let backlog = try? await archiver.broker.eventLog.backlog(of: queue)
        let waiting = backlog.map { "\($0.waiting) calls wait" } ?? "an unknown number waits"
        let age = backlog?.oldestAt.map { ", the oldest for \((now - $0).milliseconds / 1000) s" }
        Logger.current.warning(
            """
            the history of '\(queue)' is behind: \(waiting)\(age ?? ""), \
            \(backlog?.dropped ?? 0) events were dropped; work goes on. \(error)
            """)
    }
}
