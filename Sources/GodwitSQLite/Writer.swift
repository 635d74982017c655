// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Dispatch
import GRDB
import Godwit
import Synchronization

/// Runs everybody's operations on one thread, all that wait in one transaction (group commit).
///
///     callers ─► line ─► lock the file ─► BEGIN … COMMIT ─► unlock ─► answers
///
/// What was queued runs to its end whatever happens to its caller. One commit, with its one sync of
/// the disk, serves up to `groupLimit` operations; an operation that fails is answered alone.
final class Writer: Sendable {
    /// One word of one caller. Neither closure may block.
    struct Operation: Sendable {
        /// Does the work inside the transaction; what it returns runs after the commit.
        var perform: @Sendable (Store) throws(StoreFault) -> @Sendable () -> Void
        /// Told instead of that; the flag says that the commit itself failed at the disk.
        var fail: @Sendable (StoreFault, _ committing: Bool) -> Void
    }

    private struct Line {
        var waiting: [Operation] = []
        var isRunning = false
        var isClosed = false
    }

    static let groupLimit = 64

    private let line = Mutex(Line())
    private let store: Mutex<Store?>
    private let lock: WriterLock
    private let time: any TimeSource
    private let checkpointPages: Int32
    /// Hears after each commit who may have something to do.
    private let woken: @Sendable ([Waiters.Wake]) -> Void
    private let thread = DispatchQueue(label: "godwit.sqlite.writer", qos: .userInitiated)

    /// Calls, commits and checkpoints so far, for tests.
    let submissions = Atomic<Int>(0)
    let commits = Atomic<Int>(0)
    let checkpoints = Atomic<Int>(0)

    init(
        store: sending Store, lock: WriterLock, time: any TimeSource, checkpointPages: Int,
        woken: @escaping @Sendable ([Waiters.Wake]) -> Void
    ) {
        self.store = Mutex(store)
        self.lock = lock
        self.time = time
        self.checkpointPages = Int32(clamping: max(100, checkpointPages))
        self.woken = woken
    }

    /// Queues an operation; its answer comes on the writer's thread.
    func submit(_ operation: Operation) {
        let (isClosed, starts) = line.withLock { line in
            if line.isClosed { return (true, false) }
            line.waiting.append(operation)
            submissions.wrappingAdd(1, ordering: .relaxed)
            defer { line.isRunning = true }
            return (false, !line.isRunning)
        }
        if isClosed { return operation.fail(.closed, false) }
        if starts { thread.async { self.drain() } }
    }

    /// Ends what was queued, then closes the connection.
    func close() async {
        line.withLock { $0.isClosed = true }
        await withCheckedContinuation { continuation in
            thread.async {
                self.drain()
                self.store.withLock { store in
                    if let closing = store {
                        self.checkpoint(closing, mode: SQLITE_CHECKPOINT_TRUNCATE)
                        closing.close()
                    }
                    store = nil
                }
                continuation.resume()
            }
        }
    }

    // MARK: The thread

    private func drain() {
        while true {
            // Why all at once: to take a group off the front would move the whole line each time.
            var taken = line.withLock { line -> ArraySlice<Operation> in
                defer { line.waiting = [] }
                if line.waiting.isEmpty { line.isRunning = false }
                return line.waiting[...]
            }
            if taken.isEmpty { return }
            while !taken.isEmpty {
                let group = taken.prefix(Self.groupLimit)
                taken = taken.dropFirst(group.count)
                store.withLock { store in
                    if let store { serve(group, store) } else { Self.fail(group, .closed) }
                }
            }
        }
    }

    private func serve(_ group: ArraySlice<Operation>, _ store: Store) {
        do throws(StoreFault) {
            try lock.lock()
        } catch {
            return Self.fail(group, error)
        }
        defer { lock.unlock() }
        store.connection.unsafeReentrantWrite { _ in
            if !attempt(group, store) {
                // Why: the fault of one must not spoil the others; alone, each gets its own answer.
                for operation in group { _ = attempt([operation], store) }
            }
            if store.frames.pointee >= checkpointPages {
                checkpoint(store, mode: SQLITE_CHECKPOINT_PASSIVE, isLocked: true)
            }
        }
    }

    /// One transaction; false when nothing was done because a group failed as a whole.
    private func attempt(_ group: ArraySlice<Operation>, _ store: Store) -> Bool {
        var answers: [@Sendable () -> Void] = []
        answers.reserveCapacity(group.count)
        var isCommitting = false
        do throws(StoreFault) {
            try store.begin(at: time.now().milliseconds)
            // Why a refusal is no exception: the operation may have written before it was refused.
            for operation in group { answers.append(try operation.perform(store)) }
            try store.flush()
            isCommitting = true
            try store.commit()
        } catch {
            store.rollback()
            guard group.count == 1 else { return false }
            for operation in group { operation.fail(error, isCommitting) }
            return true
        }
        commits.wrappingAdd(1, ordering: .relaxed)
        var wakes = store.woken.compactMap { wake in
            store.name(of: wake.queue).map { Waiters.Wake(place: .queue($0), kind: wake.kind) }
        }
        for stream in store.streams.woken {
            wakes.append(Waiters.Wake(place: .stream(stream), kind: nil))
        }
        for answer in answers { answer() }
        if !wakes.isEmpty { woken(wakes) }
        return true
    }

    private static func fail(_ group: ArraySlice<Operation>, _ fault: StoreFault) {
        for operation in group { operation.fail(fault, false) }
    }

    // MARK: Checkpoints

    /// Moves pages from the WAL into the database, under the lock like every write.
    private func checkpoint(_ store: Store, mode: Int32, isLocked: Bool = false) {
        if !isLocked {
            do throws(StoreFault) { try lock.lock() } catch { return }
        }
        defer { if !isLocked { lock.unlock() } }
        var left: Int32 = 0
        var moved: Int32 = 0
        // Why no error: a reader may be in the way; the next commit tries again.
        sqlite3_wal_checkpoint_v2(store.database, nil, mode, &left, &moved)
        if left >= 0, left == moved { store.frames.pointee = 0 }
        checkpoints.wrappingAdd(1, ordering: .relaxed)
    }
}
