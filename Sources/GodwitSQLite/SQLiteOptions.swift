// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// How a ``SQLiteBroker`` keeps its file.
public struct SQLiteOptions: Sendable {
    /// How SQLite makes a commit whole. Both survive a power cut (`synchronous=FULL`).
    public enum JournalMode: String, Sendable, Hashable, CaseIterable {
        /// A write-ahead log: about twice as fast; needs a local file system.
        case wal
        /// A rollback journal, for those who would rather not use a WAL.
        case truncate
    }

    public var journalMode = JournalMode.wal
    public var limits = BrokerLimits()
    /// After so many pages in the WAL the writer moves them into the database, under the lock.
    public var checkpointPages = 4000
    /// What SQLite may hold of the file in memory.
    public var cacheBytes = 32 << 20
    /// How often changes by other processes are looked for while somebody waits; at most 250 ms.
    public var watchInterval: Duration = .milliseconds(120)
    /// How long a call waits while another process writes, before it throws `unavailable`; only one
    /// that is stopped in the middle of a commit holds the file for so long.
    public var lockPatience: Duration = .seconds(10)

    public init() {}
}
