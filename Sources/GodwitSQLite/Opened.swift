// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import GRDB
import Godwit

/// The connections of a broker, opened and checked under the writer lock.
struct Opened: Sendable {
    let writer: Writer
    let reader: Reader
    let waiters: Waiters

    init(path: String, time: any TimeSource, options: SQLiteOptions) throws(BrokerError) {
        let file = try DatabaseFile(at: path)
        let lock = try WriterLock(beside: file, patience: options.lockPatience)
        do {
            try lock.lock()
            defer { lock.unlock() }
            let connection = try DatabaseQueue(
                path: file.path, configuration: Self.configuration(options, readonly: false))
            let database = try connection.writeWithoutTransaction { db in
                try Self.prepare(db, options, file.path)
            }
            try Schema.migrator.migrate(connection)
            try connection.writeWithoutTransaction { try Self.setDurability($0, file.path) }
            let store = try Store(connection: connection, database: database.pointer)
            reader = Reader(
                try DatabaseQueue(
                    path: file.path, configuration: Self.configuration(options, readonly: true)),
                path: file.path)
            let waiters = Waiters(
                file: file, reader: reader, time: time, interval: options.watchInterval)
            self.waiters = waiters
            writer = Writer(
                store: store, lock: lock, time: time, checkpointPages: options.checkpointPages
            ) { waiters.wake($0) }
        } catch let error as BrokerError {
            throw error
        } catch {
            throw StoreFault(error).brokerError("open a queue", at: file.path)
        }
    }

    private static func configuration(_ options: SQLiteOptions, readonly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        configuration.label = readonly ? "godwit.sqlite.reader" : "godwit.sqlite.connection"
        // Writers wait for the lock; this is for other programs that look into the file.
        configuration.busyMode = .timeout(5)
        let cache = readonly ? 2 << 10 : max(1 << 10, options.cacheBytes >> 10)
        configuration.prepareDatabase { db in
            if let connection = db.sqliteConnection {
                let code = godwit_no_checkpoint_on_close(connection)
                guard code == SQLITE_OK else { throw StoreFault(code, in: connection) }
            }
            try db.execute(
                sql: """
                    PRAGMA wal_autocheckpoint = 0;
                    PRAGMA cache_size = -\(cache);
                    PRAGMA temp_store = MEMORY;
                    """)
        }
        return configuration
    }

    /// Proof: SQLite's handle is good on any thread, one at a time (multi-thread mode). It goes from
    /// here into the `Store`, which the writer keeps in a mutex.
    private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private static func prepare(
        _ db: Database, _ options: SQLiteOptions, _ path: String
    ) throws -> Handle {
        let mode = options.journalMode.rawValue
        let actual = try String.fetchOne(db, sql: "PRAGMA journal_mode = \(mode)")
        guard actual == mode else {
            throw misconfigured(
                path, "journal_mode is \(actual ?? "unknown"), not \(mode)",
                "Close the other processes that have it open, or use their journal mode.")
        }
        try setDurability(db, path)
        guard let pointer = db.sqliteConnection else { throw StoreFault.closed }
        return Handle(pointer: pointer)
    }

    /// Every commit reaches the disk before it is answered (D2); anything less is refused.
    private static func setDurability(_ db: Database, _ path: String) throws {
        try db.execute(sql: "PRAGMA synchronous = FULL")
        let level = try Int.fetchOne(db, sql: "PRAGMA synchronous")
        guard level == 2 else {
            throw misconfigured(
                path, "synchronous is \(level.map(String.init) ?? "unknown"), not 2 (FULL)",
                "Use a SQLite that is not built to ignore it.")
        }
    }

    private static func misconfigured(
        _ path: String, _ cause: String, _ advice: String
    ) -> BrokerError {
        .misconfigured(
            .init(
                what: "open a queue", location: "the SQLite file '\(path)'", cause: cause,
                advice: advice))
    }
}
