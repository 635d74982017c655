// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GRDB
import Godwit
import Synchronization

/// Everybody of this process who waits for a message, and the one watcher for other processes.
///
/// A commit of this process wakes by itself. For the others the watcher looks at the times of the
/// file and its WAL from outside, several times a second and only while somebody waits; when they
/// have changed it asks the database on behalf of each waiter.
final class Waiters: Sendable {
    /// What somebody waits for: a message of a queue, or a lane of a stream.
    enum Place: Sendable, Hashable {
        case queue(QueueName)
        case stream(QueueName)
    }

    /// A place where something may be ready; where it has kinds, of one of them (nil: of any).
    struct Wake: Sendable {
        var place: Place
        var kind: UInt32?
    }

    fileprivate struct Waiter: Sendable {
        var kinds: [Kind]?
        var signal: Signal
        /// When a scheduled message was due first, as far as the waiter knows.
        var nextDue: Int64
    }

    private struct State {
        var waiting: [Place: [UInt64: Waiter]] = [:]
        /// Suspects that somebody was told of. A worker with messages in flight can't take one, and
        /// must not be woken by it again and again.
        var toldSuspects: [Place: Int64] = [:]
        var lastKey: UInt64 = 0
        var timer: ScheduledAction?
        var stamp = DatabaseFile.Stamp()
        /// Glances that look into the database although the stamp is the same.
        var looksLeft = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let file: DatabaseFile
    private let reader: Reader
    private let time: any TimeSource
    private let interval: Duration
    /// Real time: other processes know nothing of a virtual clock.
    private let clock = SystemTime()

    init(file: DatabaseFile, reader: Reader, time: any TimeSource, interval: Duration) {
        self.file = file
        self.reader = reader
        self.time = time
        self.interval = max(.milliseconds(10), min(interval, .milliseconds(200)))
    }

    func wait(for kinds: [Kind]?, in place: Place, upTo timeout: Duration) async {
        if timeout <= .zero { return }
        let signal = Signal()
        // Why first in line, then look: what becomes ready in between finds the waiter.
        let key = state.withLock { state -> UInt64? in
            if state.isClosed { return nil }
            state.lastKey += 1
            state.waiting[place, default: [:]][state.lastKey] = Waiter(
                kinds: kinds, signal: signal, nextDue: .max)
            if state.timer == nil {
                state.stamp = file.stamp()
                state.looksLeft = Self.looksAfterChange
                watch(&state)
            }
            return state.lastKey
        }
        guard let key else { return }
        var timers = [time.schedule(after: timeout) { signal.fire() }]
        let outlook = await outlook(of: place, for: kinds)
        if let due = outlook?.nextDue {
            state.withLock { $0.waiting[place]?[key]?.nextDue = due }
            let delay = Duration.milliseconds(due - time.now().milliseconds)
            // A virtual clock fires only when it is moved.
            if delay <= .zero { signal.fire() }
            timers.append(time.schedule(after: delay) { signal.fire() })
        }
        if !isWorthWaking(outlook, place) { await signal.wait() }
        for timer in timers { timer.cancel() }
        state.withLock { state in
            state.waiting[place]?[key] = nil
            if state.waiting[place]?.isEmpty == true { state.waiting[place] = nil }
            guard state.waiting.isEmpty else { return }
            state.timer?.cancel()
            state.timer = nil
        }
    }

    /// Wakes whom a commit of this process concerns.
    func wake(_ wakes: [Wake]) {
        state.withLock { state in
            if state.waiting.isEmpty { return }
            for wake in wakes {
                guard let waiters = state.waiting[wake.place] else { continue }
                for waiter in waiters.values where waiter.takes(wake.kind) { waiter.signal.fire() }
            }
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.timer?.cancel()
            state.timer = nil
            for waiter in state.waiting.values.flatMap(\.values) { waiter.signal.fire() }
        }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// True while the watcher runs.
    var isWatching: Bool { state.withLock { $0.timer != nil } }

    // MARK: Looking

    /// What a queue has for somebody who waits.
    private struct Outlook: Sendable {
        var hasReady = false
        var suspects: Int64 = 0
        var nextDue: Int64?
    }

    private func isWorthWaking(_ outlook: Outlook?, _ place: Place) -> Bool {
        guard let outlook else { return false }
        return state.withLock { state in
            let told = min(state.toldSuspects[place] ?? 0, outlook.suspects)
            state.toldSuspects[place] = outlook.suspects
            return outlook.hasReady || outlook.suspects > told
        }
    }

    private func outlook(of place: Place, for kinds: [Kind]?) async -> Outlook? {
        do throws(BrokerError) {
            return try await reader.read("look for work in the \(place)") { db in
                try Self.look(db, place, kinds)
            }
        } catch {
            // A store that can't be read says so to the next reserve.
            return nil
        }
    }

    private static func look(_ db: Database, _ place: Place, _ kinds: [Kind]?) throws -> Outlook {
        switch place {
        case .queue(let queue): try look(db, queue, kinds)
        case .stream(let stream): try look(db, stream)
        }
    }

    private static let streamSQL = """
        SELECT number, ready, suspects, parked FROM stream WHERE name = ?
        """
    private static let parkedSQL = """
        SELECT ord FROM lane INDEXED BY lane_next
        WHERE stream = ? AND phase = 4 ORDER BY ord LIMIT 1
        """

    private static func look(_ db: Database, _ stream: QueueName) throws -> Outlook {
        var outlook = Outlook()
        let row = try Row.fetchOne(
            db.cachedStatement(sql: streamSQL), arguments: [stream.text])
        guard let row else { return outlook }
        outlook.hasReady = (row[1] as Int64) > 0
        outlook.suspects = row[2]
        if (row[3] as Int64) > 0 {
            outlook.nextDue = try Int64.fetchOne(
                db.cachedStatement(sql: parkedSQL), arguments: [row[0] as Int64])
        }
        return outlook
    }

    private static let queueSQL = """
        SELECT number, ready, suspects, scheduled, leased, max_leased, paused
        FROM queue WHERE name = ?
        """
    private static let dueSQL = """
        SELECT at FROM message INDEXED BY message_scheduled
        WHERE state = 2 AND queue = ? ORDER BY at LIMIT 1
        """
    private static let readySQL = """
        SELECT 1 FROM message INDEXED BY message_ready
        WHERE state = 0 AND queue = ? AND lane = ? LIMIT 1
        """

    static let texts = [
        (name: "wait: queue", sql: queueSQL), (name: "wait: due", sql: dueSQL),
        (name: "wait: ready", sql: readySQL), (name: "wait: stream", sql: streamSQL),
        (name: "wait: parked", sql: parkedSQL),
    ]

    private static func look(_ db: Database, _ queue: QueueName, _ kinds: [Kind]?) throws -> Outlook
    {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: queueSQL), arguments: [queue.text])
        guard let row else { return Outlook() }
        let number: Int64 = row[0]
        let (ready, suspects, scheduled): (Int64, Int64, Int64) = (row[1], row[2], row[3])
        let (leased, most, paused): (Int64, Int64, Int64) = (row[4], row[5], row[6])
        var outlook = Outlook()
        if scheduled > 0 {
            outlook.nextDue = try Int64.fetchOne(
                db.cachedStatement(sql: dueSQL), arguments: [number])
        }
        if paused != 0 || (most >= 0 && leased >= most) { return outlook }
        outlook.suspects = suspects
        guard ready > suspects else { return outlook }
        guard let kinds else {
            outlook.hasReady = true
            return outlook
        }
        let probe = try db.cachedStatement(sql: readySQL)
        for kind in kinds {
            for band in 0..<8 {
                let lane = Int64(band) << 32 | Int64(kind.hash)
                if try Int64.fetchOne(probe, arguments: [number, lane]) != nil {
                    outlook.hasReady = true
                    return outlook
                }
            }
        }
        return outlook
    }

    // MARK: The watcher

    private func watch(_ state: inout State) {
        state.timer = clock.schedule(after: interval) { [weak self] in self?.glance() }
    }

    // Why more than one: a commit changes the file when it is written, and is seen once it is synced.
    private static let looksAfterChange = 4

    private func glance() {
        let stamp = file.stamp()
        let asking = state.withLock { state -> [Place: [UInt64: Waiter]] in
            guard state.timer != nil, !state.isClosed else { return [:] }
            watch(&state)
            if state.stamp != stamp {
                state.stamp = stamp
                state.looksLeft = Self.looksAfterChange
            }
            if state.looksLeft == 0 { return [:] }
            state.looksLeft -= 1
            return state.waiting
        }
        if asking.isEmpty { return }
        reader.connection.asyncRead { database in
            guard let db = try? database.get() else { return }
            for (place, waiters) in asking {
                for (_, waiter) in waiters {
                    guard let outlook = try? Self.look(db, place, waiter.kinds) else { continue }
                    let isSooner = outlook.nextDue.map { $0 < waiter.nextDue } ?? false
                    if self.isWorthWaking(outlook, place) || isSooner { waiter.signal.fire() }
                }
            }
        }
    }
}

extension Waiters.Waiter {
    fileprivate func takes(_ kind: UInt32?) -> Bool {
        guard let kind, let kinds else { return true }
        return kinds.contains { $0.hash == kind }
    }
}

extension Waiters.Place: CustomStringConvertible {
    var description: String {
        switch self {
        case .queue(let name): "queue '\(name)'"
        case .stream(let name): "stream '\(name)'"
        }
    }
}
