// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import GRDB
import Godwit
import Synchronization

/// A history in one SQLite file: nothing to install, for one machine.
///
///     rows ─► run (each once) ─► minute and hour panes, from the rows that were new
///
/// All of one ``add(_:_:)`` is one transaction, synced to the disk, so that rows and panes never
/// disagree. One connection writes, under a lock for all processes; one reads beside it (WAL).
/// Any number of processes may open the same file of a local disk.
public final class SQLiteHistory: HistoryStore {
    let path: String
    let writer: HistoryFile
    let reader: HistoryFile
    /// The numbers of (queue, kind) pairs, which never change once committed.
    let pairs = Mutex(PairNumbers())

    /// Opens the file as ``init(path:)`` does, on a thread of its own.
    public static func opened(_ path: String) async throws(HistoryError) -> SQLiteHistory {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<SQLiteHistory, HistoryError>, Never>) in
            DispatchQueue(label: "godwit.history.open").async {
                do throws(HistoryError) {
                    continuation.resume(returning: .success(try SQLiteHistory(path: path)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// Opens the file or makes one that only its owner may read.
    ///
    /// Blocks its thread for up to 10 s while another process has the file: from a task, use ``opened(_:)``.
    public init(path given: String) throws(HistoryError) {
        do {
            let path = try Self.prepared(given)
            self.path = path
            let lock = try FileLock(beside: path)
            try lock.lock()
            defer { lock.unlock() }
            writer = try HistoryFile(path: path, lock: lock)
            try writer.migrate()
            reader = try HistoryFile(path: path, lock: nil)
        } catch {
            throw HistoryError(error, "open the history", given)
        }
    }

    public func shutdown() async {
        await reader.close()
        await writer.close()
    }

    private static func prepared(_ given: String) throws -> String {
        guard !given.isEmpty, !given.utf8.contains(0), given != ":memory:" else {
            throw HistoryError.invalid(
                .init(
                    what: "open the history", location: "the history file '\(given)'",
                    cause: "that is not the path of a file",
                    advice: "Write sqlite:PATH, for example sqlite:history.db."))
        }
        // Why: SQLite would take the mode from the umask; its -wal and -shm copy the file's mode.
        let descriptor = open(given, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
        } else if errno != EEXIST {
            throw FileLock.Fault(path: given, cause: String(cString: strerror(errno)))
        }
        guard let resolved = realpath(given, nil) else {
            throw FileLock.Fault(path: given, cause: String(cString: strerror(errno)))
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

/// The pairs that this process has met.
struct PairNumbers {
    /// Rows of further ones share ``otherName``.
    static let limit = 200_000

    struct Pair: Hashable, Sendable {
        var queue: String
        var kind: String
    }

    var numbers: [Pair: Int64] = [:]
}

extension HistoryFile {
    /// The tables, by named migrations that are never edited once released.
    ///
    ///     pair    number → queue, kind
    ///     run     finished at << 21 | ordinal → a run; unique by (id, generation, run)
    ///     minute  number of the minute << 20 | pair → a pane; `hour` likewise
    ///     sample  minute, queue → how the queue stood
    ///     audit   finished at << 21 | ordinal → who did what
    ///
    /// Text is kept as its bytes: SQLite's own ends at a NUL. Times of a run are kept as how long
    /// before its end they were: two bytes instead of six.
    func migrate() throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("history") { db in
            try db.execute(sql: Self.tables)
        }
        try connection.writeWithoutTransaction { db in
            let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = wal")
            guard mode == "wal" else {
                throw FileLock.Fault(path: path, cause: "journal_mode is \(mode ?? "unknown")")
            }
        }
        try migrator.migrate(connection)
        try connection.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
    }

    private static let tables = """
        CREATE TABLE pair (
            number INTEGER PRIMARY KEY, queue BLOB NOT NULL, kind BLOB NOT NULL,
            UNIQUE (queue, kind));
        CREATE TABLE run (
            seq INTEGER PRIMARY KEY, id_high INTEGER NOT NULL, id_low INTEGER NOT NULL,
            turn INTEGER NOT NULL, pair INTEGER NOT NULL, verdict INTEGER NOT NULL,
            attempt INTEGER NOT NULL, lost INTEGER NOT NULL, count INTEGER NOT NULL,
            worker INTEGER NOT NULL, finished_at INTEGER NOT NULL, inserted_ago INTEGER NOT NULL,
            ready_ago INTEGER NOT NULL, executed_ago INTEGER, fingerprint BLOB, reason BLOB);
        CREATE UNIQUE INDEX run_key ON run (id_high, id_low, turn);
        CREATE INDEX run_pair ON run (pair);
        CREATE INDEX run_failure ON run (finished_at, pair, fingerprint)
            WHERE fingerprint IS NOT NULL;
        CREATE TABLE minute (
            place INTEGER PRIMARY KEY, verdicts BLOB NOT NULL, wait_sum INTEGER NOT NULL,
            wait_max INTEGER NOT NULL, run_sum INTEGER NOT NULL, run_max INTEGER NOT NULL,
            wait BLOB NOT NULL, run BLOB NOT NULL);
        CREATE TABLE hour (
            place INTEGER PRIMARY KEY, verdicts BLOB NOT NULL, wait_sum INTEGER NOT NULL,
            wait_max INTEGER NOT NULL, run_sum INTEGER NOT NULL, run_max INTEGER NOT NULL,
            wait BLOB NOT NULL, run BLOB NOT NULL);
        CREATE TABLE sample (
            at INTEGER NOT NULL, queue BLOB NOT NULL, ready INTEGER NOT NULL,
            scheduled INTEGER NOT NULL, leased INTEGER NOT NULL, dead INTEGER NOT NULL,
            enqueued INTEGER NOT NULL, ended INTEGER NOT NULL, oldest_ready_ms INTEGER NOT NULL,
            slots INTEGER NOT NULL, busy_slots INTEGER NOT NULL,
            PRIMARY KEY (at, queue)) WITHOUT ROWID;
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who BLOB NOT NULL,
            verb BLOB NOT NULL, queue BLOB NOT NULL, what BLOB NOT NULL,
            affected INTEGER NOT NULL);
        CREATE INDEX audit_at ON audit (at);
        """
}

/// Where a row stands in the file.
enum Place {
    /// A row of `run`, by the time of its end and an ordinal within the millisecond.
    static let ordinals: Int64 = 1 << 21

    static func run(_ milliseconds: Int64, _ ordinal: Int64) -> Int64 {
        min(HistorySpan.last, max(0, milliseconds)) << 21 | (ordinal & (ordinals - 1))
    }

    /// A row of `minute` or `hour`.
    static func pane(_ slot: Int64, _ pair: Int64) -> Int64 { slot << 20 | pair }
    static func pair(_ place: Int64) -> Int64 { place & (1 << 20 - 1) }
    static func slot(_ place: Int64) -> Int64 { place >> 20 }
}
