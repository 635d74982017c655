// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

/// The tables, by named migrations that are never edited once released.
///
///     queue       number → name, counters, settings
///     kind        queue, hash → wire name
///     message     id, queue → state, place in its list, entry, body: the one record (I2)
///     body        bodies over `Schema.inlineBody` bytes, so that moving a message does not copy them
///     aside       what few messages have: unique key, checkpoint, the last 10 attempts
///     unique_key  queue, key → the live message that holds it (I9)
///     event       queue << 40 | sequence → the moves of one commit, packed, until archived
///     stream      number → name, counters
///     lane        number → stream, key, phase, what is known of the key; in one place of `lane_next`
///     lane_state  lane → its state, where that has more than `Schema.inlineBody` bytes
///     point       lane, place → a point: the window below the lane's `head`, what waits from there on
///     dropped     stream, sequence → a key that was dropped whole, the last 1000
///     note        folder, name → a note of the board; the empty name holds the folder's last version
///
/// Text that comes from users is kept as its bytes: SQLite's own text ends at a NUL.
///
/// `message.place` is an order of its own: rising at the tail, falling at the head.
/// `message.at` is when it became ready, is due, runs out of its lease, died or ended, by its state.
/// `lane.ord` is the same for lanes: an order of its own while ready, when the lease or the parking
/// ends, since when blocked, when a point was handled last while idle.
/// The key of a message begins with the time of the id, so that rows of all queues are appended side by side.
enum Schema {
    /// Bodies up to this size stand in the row of their message.
    static let inlineBody = 512

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("2026-01 queues and messages") { db in
            try db.execute(sql: first)
        }
        migrator.registerMigration("2026-11 streams of keyed points") { db in
            try db.execute(sql: streams)
        }
        migrator.registerMigration("2026-11 notes of the board") { db in
            try db.execute(sql: notes)
        }
        migrator.registerMigration("2026-11 dead messages by kind") { db in
            // Why only the dead: they stay, and people look for them; an index over waiting or
            // ended ones would be paid for by every message. The number is the kind's hash in `lane`.
            try db.execute(
                sql: """
                    CREATE INDEX message_dead_kind ON message (queue, lane & 4294967295, at)
                    WHERE state = 3
                    """)
        }
        return migrator
    }

    private static let first = """
        CREATE TABLE queue (
            number INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            \(QueueState.columns.map { "\($0) INTEGER NOT NULL" }.joined(separator: ",\n    "))
        );
        CREATE TABLE kind (
            queue INTEGER NOT NULL,
            hash INTEGER NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (queue, hash)
        ) WITHOUT ROWID;
        CREATE TABLE message (
            id_high INTEGER NOT NULL,
            id_low INTEGER NOT NULL,
            queue INTEGER NOT NULL,
            state INTEGER NOT NULL,
            lane INTEGER NOT NULL,
            place INTEGER NOT NULL,
            at INTEGER NOT NULL,
            tail BLOB NOT NULL,
            letter INTEGER NOT NULL,
            aside INTEGER NOT NULL,
            reason BLOB,
            body BLOB,
            PRIMARY KEY (id_high, id_low, queue)
        ) WITHOUT ROWID;
        CREATE INDEX message_ready ON message (queue, lane, place) WHERE state = 0;
        CREATE INDEX message_leased ON message (queue, at, place) WHERE state = 1;
        CREATE INDEX message_scheduled ON message (queue, at) WHERE state = 2;
        CREATE INDEX message_dead ON message (queue, at) WHERE state = 3;
        CREATE INDEX message_ended ON message (queue, place, at) WHERE state > 3;
        CREATE TABLE body (
            number INTEGER PRIMARY KEY,
            bytes BLOB NOT NULL
        );
        CREATE TABLE aside (
            id_high INTEGER NOT NULL,
            id_low INTEGER NOT NULL,
            queue INTEGER NOT NULL,
            unique_key BLOB,
            checkpoint BLOB,
            attempts BLOB,
            PRIMARY KEY (id_high, id_low, queue)
        ) WITHOUT ROWID;
        CREATE TABLE unique_key (
            queue INTEGER NOT NULL,
            unique_key BLOB NOT NULL,
            id_high INTEGER NOT NULL,
            id_low INTEGER NOT NULL,
            PRIMARY KEY (queue, unique_key)
        ) WITHOUT ROWID;
        CREATE TABLE event (
            place INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            moves BLOB NOT NULL
        );
        """

    // Why `late` holds an id: with the newest id before a late point, or else its own id, the points
    // of a lane rise with their place, so that one of them is found by halving.
    private static let streams = """
        CREATE TABLE stream (
            number INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            \(StreamState.columns.map { "\($0) INTEGER NOT NULL" }.joined(separator: ",\n    "))
        );
        CREATE TABLE lane (
            number INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            key BLOB NOT NULL,
            phase INTEGER NOT NULL,
            ord INTEGER NOT NULL,
            turn INTEGER NOT NULL,
            nonce INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            lost INTEGER NOT NULL,
            position INTEGER NOT NULL,
            birth INTEGER NOT NULL,
            bottom INTEGER NOT NULL,
            first INTEGER NOT NULL,
            kept INTEGER NOT NULL,
            head INTEGER NOT NULL,
            next INTEGER NOT NULL,
            newest INTEGER NOT NULL,
            last INTEGER NOT NULL,
            handled_at INTEGER,
            reason BLOB,
            state BLOB
        );
        CREATE UNIQUE INDEX lane_key ON lane (stream, key);
        CREATE INDEX lane_next ON lane (stream, phase, ord, turn);
        CREATE TABLE lane_state (
            lane INTEGER PRIMARY KEY,
            bytes BLOB NOT NULL
        );
        CREATE TABLE point (
            lane INTEGER NOT NULL,
            place INTEGER NOT NULL,
            id INTEGER NOT NULL,
            late INTEGER,
            body BLOB NOT NULL,
            PRIMARY KEY (lane, place)
        ) WITHOUT ROWID;
        CREATE INDEX point_late ON point (lane, id) WHERE late IS NOT NULL;
        CREATE TABLE dropped (
            stream INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            key BLOB NOT NULL,
            position INTEGER NOT NULL,
            handled_at INTEGER,
            dropped_at INTEGER NOT NULL,
            PRIMARY KEY (stream, sequence)
        ) WITHOUT ROWID;
        """

    // The index also lists notes that never end: it counts a folder without touching their bytes.
    private static let notes = """
        CREATE TABLE note (
            folder TEXT NOT NULL,
            name BLOB NOT NULL,
            version INTEGER NOT NULL,
            written_at INTEGER NOT NULL,
            expires_at INTEGER,
            bytes BLOB NOT NULL,
            PRIMARY KEY (folder, name)
        ) WITHOUT ROWID;
        CREATE INDEX note_expires ON note (folder, expires_at);
        """
}

/// Where a lane is, as it stands in `lane.phase`; suspects have a list of their own.
enum Phase {
    static let idle: Int64 = 0
    static let ready: Int64 = 1
    static let suspect: Int64 = 2
    static let leased: Int64 = 3
    static let parked: Int64 = 4
    static let blocked: Int64 = 5
}

/// Where a message is, as it stands in `message.state`.
enum Stage {
    static let ready: Int64 = 0
    static let leased: Int64 = 1
    static let scheduled: Int64 = 2
    static let dead: Int64 = 3
    static let completed: Int64 = 4
    static let cancelled: Int64 = 5
    static let forwarded: Int64 = 6
}

/// How the last run of a message that waits again ended, as it stands in `message.letter`.
enum Letter {
    static let none: Int64 = 0
    static let retry: Int64 = 1
    static let release: Int64 = 2
    static let lost: Int64 = 3
    /// Cancelled while it ran: the entry still stands before that run.
    static let ran: Int64 = 4
    static let reject: Int64 = 5
    static let crashLoop: Int64 = 6

    /// How that run ended; a dead letter that says nothing had lost its body.
    static func move(_ letter: Int64, isDead: Bool) -> Event.Move? {
        switch letter {
        case retry: .retry
        case release: .release
        case lost: .reclaim
        case reject: .reject
        case crashLoop: .crashLoop
        default: isDead ? .payloadLost : nil
        }
    }
}
