// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What few messages have: a unique key, a checkpoint, attempts that failed.
extension Store {
    // MARK: Unique keys (I9)

    func owner(of unique: String, _ queue: Int64) throws(StoreFault) -> Key? {
        sql.findUnique.bind(1, queue)
        sql.findUnique.bind(2, utf8: unique)
        defer { sql.findUnique.reset() }
        guard try sql.findUnique.step() else { return nil }
        return Key(high: sql.findUnique.int(0), low: sql.findUnique.int(1))
    }

    func take(_ unique: String, for key: Key, _ queue: Int64) throws(StoreFault) {
        sql.insertUnique.bind(1, queue)
        sql.insertUnique.bind(2, utf8: unique)
        sql.insertUnique.bind(3, id: key.pair)
        try sql.insertUnique.run()
    }

    /// Frees the key of a message that is no longer live; a dead letter keeps the name aside.
    func freeUnique(_ row: MessageRow, _ queue: Int64) throws(StoreFault) {
        guard row.token.entry.hasUniqueKey, row.hasAside,
            let unique = try aside(row.key, queue)?.unique
        else { return }
        sql.deleteUnique.bind(1, queue)
        sql.deleteUnique.bind(2, utf8: unique)
        sql.deleteUnique.bind(3, id: row.key.pair)
        try sql.deleteUnique.run()
    }

    // MARK: The row aside

    struct AsideRow {
        var unique: String?
        var checkpoint: [UInt8]?
        var attempts: [UInt8]
    }

    func aside(_ key: Key, _ queue: Int64) throws(StoreFault) -> AsideRow? {
        let select = sql.selectAside
        select.bind(1, id: key.pair)
        select.bind(3, queue)
        defer { select.reset() }
        guard try select.step() else { return nil }
        return AsideRow(
            unique: select.utf8(0), checkpoint: select.isNull(1) ? nil : select.bytes(1),
            attempts: select.bytes(2))
    }

    func insertAside(
        _ key: Key, _ queue: Int64, unique: String? = nil, checkpoint: [UInt8]? = nil,
        attempts: [UInt8]? = nil
    ) throws(StoreFault) {
        let insert = sql.insertAside
        insert.bind(1, id: key.pair)
        insert.bind(3, queue)
        insert.bind(4, utf8: unique)
        if let checkpoint { insert.bind(5, copy: checkpoint) } else { insert.bindNull(5) }
        if let attempts { insert.bind(6, copy: attempts) } else { insert.bindNull(6) }
        try insert.run()
    }

    func deleteAside(_ key: Key, _ queue: Int64) throws(StoreFault) {
        sql.deleteAside.bind(1, id: key.pair)
        sql.deleteAside.bind(3, queue)
        try sql.deleteAside.run()
    }

    // MARK: Attempts

    /// Adds the run that just failed to the message's own history, of which the last ten are kept.
    func remember(
        _ row: inout MessageRow, _ move: Event.Move, _ reason: String, _ queue: Int64
    ) throws(StoreFault) {
        let old = row.hasAside ? try aside(row.key, queue)?.attempts ?? [] : []
        let attempt = MessageRecord.Attempt(
            at: Timestamp(milliseconds: now), worker: row.token.worker,
            count: Int(row.token.entry.count) + 1, verdict: move.rawValue,
            reason: reason.cut(to: Event.textBytes))
        let attempts = Attempts.adding(attempt, to: old)
        if row.hasAside {
            sql.setAttempts.bind(1, copy: attempts)
            sql.setAttempts.bind(2, id: row.key.pair)
            sql.setAttempts.bind(4, queue)
            try sql.setAttempts.run()
        } else {
            try insertAside(row.key, queue, attempts: attempts)
            row.aside |= Aside.row
        }
    }
}
