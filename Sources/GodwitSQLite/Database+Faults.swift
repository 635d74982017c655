// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a repair found: an answer, or numbers for the queue's row.
enum Mending {
    case done(RepairOutcome)
    case counters([String: Int64])
}

extension Database {
    /// Counted rows by the name of their counter.
    private static let counters: [(name: String, index: String, condition: String)] = [
        ("ready", "message_ready", "state = 0"),
        ("suspects", "message_ready", "state = 0 AND lane >= \(Lane.suspects)"),
        ("leased", "message_leased", "state = 1"),
        ("scheduled", "message_scheduled", "state = 2"),
        ("dead", "message_dead", "state = 3"),
        ("ended", "message_ended", "state > 3"),
    ]

    private static let missingClaim = """
        SELECT a.id_high, a.id_low, a.unique_key FROM aside a
        JOIN message m ON m.id_high = a.id_high AND m.id_low = a.id_low AND m.queue = a.queue
        LEFT JOIN unique_key u ON u.queue = a.queue AND u.unique_key = a.unique_key
        WHERE a.queue = :queue AND m.state < 3 AND a.unique_key IS NOT NULL
        AND (u.id_high IS NULL OR u.id_high <> a.id_high OR u.id_low <> a.id_low)
        """
    private static let strandedClaim = """
        SELECT u.unique_key, u.id_high, u.id_low FROM unique_key u
        LEFT JOIN message m ON m.id_high = u.id_high AND m.id_low = u.id_low AND m.queue = u.queue
        LEFT JOIN aside a ON a.id_high = u.id_high AND a.id_low = u.id_low AND a.queue = u.queue
        WHERE u.queue = :queue
        AND (m.state IS NULL OR m.state > 2 OR a.unique_key IS NOT u.unique_key)
        """
    private static let leftover = """
        SELECT a.id_high, a.id_low FROM aside a
        LEFT JOIN message m ON m.id_high = a.id_high AND m.id_low = a.id_low AND m.queue = a.queue
        WHERE a.queue = :queue AND (m.state IS NULL OR m.state > 3)
        """

    /// In one snapshot: what is seen here is so.
    func faults(in name: QueueName, limit: Int, now: Int64) throws -> [Fault] {
        guard let queue = try queueState(name) else { return [] }
        var faults: [Fault] = []
        if queue.ready + queue.scheduled + queue.leased + queue.dead + queue.ended <= limit {
            let counted = try count(queue.number)
            for (counter, path) in QueueState.counted {
                guard let found = counted[counter], found != queue[keyPath: path] else { continue }
                faults.append(
                    Fault(
                        .counter, in: name, place: counter,
                        "The counter of '\(counter)' says \(queue[keyPath: path]), but \(found) messages are there."
                    ))
            }
        }
        let arguments: StatementArguments = ["queue": queue.number]
        for row in try Row.fetchAll(
            self, sql: "\(Self.strandedClaim) LIMIT \(limit)", arguments: arguments)
        {
            let key: Data = row[0]
            let id = Key(high: row[1], low: row[2]).id
            faults.append(
                Fault(
                    .uniqueKeyWithoutOwner, in: name, message: id, place: Hex.string([UInt8](key)),
                    "The unique key '\(String(decoding: key, as: UTF8.self))' is held by \(id), which is not live."
                ))
        }
        for row in try Row.fetchAll(
            self, sql: "\(Self.missingClaim) LIMIT \(limit)", arguments: arguments)
        {
            let id = Key(high: row[0], low: row[1]).id
            faults.append(
                Fault(
                    .ownerWithoutUniqueKey, in: name, message: id,
                    "\(id) is live and does not hold its unique key."))
        }
        for row in try Row.fetchAll(
            self, sql: "\(Self.leftover) LIMIT \(limit)", arguments: arguments)
        {
            let id = Key(high: row[0], low: row[1]).id
            faults.append(
                Fault(
                    .leftover, in: name, message: id,
                    "Progress, attempts or a key of \(id) are kept, which has ended."))
        }
        faults += try rowFaults(queue.number, name, limit)
        faults += try boundFaults(of: queue, name, now: now)
        return faults
    }

    private func rowFaults(_ queue: Int64, _ name: QueueName, _ limit: Int) throws -> [Fault] {
        var faults: [Fault] = []
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT id_high, id_low, state, tail, lane, at, aside, body IS NULL AS bodiless, body
                FROM message WHERE queue = :queue AND state < 4 LIMIT :limit
                """, arguments: ["queue": queue, "limit": limit])
        while let row = try rows.next() {
            let key = Key(high: row["id_high"], low: row["id_low"])
            let tail: Data = row["tail"]
            guard let token = tail.withUnsafeBytes({ Tail.token(key, $0) }) else { continue }
            if (row["lane"] as Int64) != Lane.of(token.entry) {
                faults.append(
                    Fault(
                        .secondIndex, in: name, message: key.id, place: "lane",
                        "\(key.id) waits in a line that is not the one of its entry."))
            }
            if (row["state"] as Int64) == Stage.leased, (row["at"] as Int64) > Int64.max / 2 {
                faults.append(
                    Fault(
                        .leaseWithoutDeadline, in: name, message: key.id, place: "at",
                        "The lease of \(key.id) has no deadline that will come."))
            }
            let hasBody =
                (row["aside"] as Int64) & Aside.body == 0
                ? !(row["bodiless"] as Bool)
                : try Int64.fetchOne(
                    cachedStatement(sql: "SELECT 1 FROM body WHERE number = ?"),
                    arguments: [row["body"] as Int64]) != nil
            if !hasBody {
                faults.append(
                    Fault(
                        .bodyMissing, in: name, message: key.id, place: "body",
                        "\(key.id) is to run and its body is gone."))
            }
        }
        return faults
    }

    func boundFaults(of queue: QueueState, _ name: QueueName, now: Int64) throws -> [Fault] {
        var faults: [Fault] = []
        let late =
            try Int64.fetchOne(
                self,
                sql: """
                    SELECT count(*) FROM message INDEXED BY message_leased
                    WHERE state = 1 AND queue = :queue AND at < :moment
                    """, arguments: ["queue": queue.number, "moment": now - 60_000]) ?? 0
        if late > 0 {
            faults.append(
                Fault(
                    .expiredLease, in: name,
                    "\(late) leases ran out over a minute ago and nobody took them back."))
        }
        let over = queue.ended - Int64(queue.settings.keepRecords)
        if over > 1000 {
            faults.append(
                Fault(
                    .overBound, in: name,
                    "\(over) finished records are kept beyond the queue's bound."))
        }
        return faults
    }

    private func count(_ queue: Int64) throws -> [String: Int64] {
        var counted: [String: Int64] = [:]
        for counter in Self.counters {
            counted[counter.name] =
                try Int64.fetchOne(
                    self,
                    sql: """
                        SELECT count(*) FROM message INDEXED BY \(counter.index)
                        WHERE \(counter.condition) AND queue = :queue
                        """, arguments: ["queue": queue]) ?? 0
        }
        return counted
    }

    // MARK: Mending, inside the writer's transaction

    func repair(
        _ fault: Fault, _ queue: Int64, now: Int64, isDryRun: Bool
    ) throws -> Mending {
        let key = fault.message.map { Key($0) } ?? Key(high: 0, low: 0)
        let which: StatementArguments = ["queue": queue, "high": key.high, "low": key.low]
        func mend(_ text: String, _ sql: String, _ arguments: StatementArguments) throws -> Mending
        {
            if !isDryRun { try execute(sql: sql, arguments: arguments) }
            return .done(.mended(text))
        }
        let own = "id_high = :high AND id_low = :low AND queue = :queue"
        switch fault.kind {
        case .counter:
            return .counters(try count(queue))
        case .uniqueKeyWithoutOwner:
            guard
                try Row.fetchOne(
                    self,
                    sql: "\(Self.strandedClaim) AND u.id_high = :high AND u.id_low = :low "
                        + "AND hex(u.unique_key) = upper(:place)",
                    arguments: which + ["place": fault.place]) != nil
            else { return .done(.gone) }
            return try mend(
                "the key is free again",
                "DELETE FROM unique_key WHERE \(own) AND hex(unique_key) = upper(:place)",
                which + ["place": fault.place])
        case .ownerWithoutUniqueKey:
            let sql = "\(Self.missingClaim) AND a.id_high = :high AND a.id_low = :low"
            guard let row = try Row.fetchOne(self, sql: sql, arguments: which) else {
                return .done(.gone)
            }
            let name: Data = row["unique_key"]
            let isTaken =
                try Int64.fetchOne(
                    self,
                    sql: "SELECT 1 FROM unique_key WHERE queue = :queue AND unique_key = :name",
                    arguments: ["queue": queue, "name": name]) != nil
            if isTaken {
                return .done(
                    .refused("its unique key is held by another message: cancel one of them"))
            }
            return try mend(
                "it holds its unique key again",
                "INSERT INTO unique_key (queue, unique_key, id_high, id_low) VALUES (:queue, :name, :high, :low)",
                which + ["name": name])
        case .leftover:
            guard
                try Row.fetchOne(
                    self, sql: "\(Self.leftover) AND a.id_high = :high AND a.id_low = :low",
                    arguments: which) != nil
            else { return .done(.gone) }
            _ = try mend(
                "", "UPDATE message SET aside = aside & ~\(Aside.row) WHERE \(own)", which)
            return try mend(
                "it is dropped: the message has ended", "DELETE FROM aside WHERE \(own)", which)
        case .secondIndex:
            guard
                let row = try Row.fetchOne(
                    self, sql: "SELECT tail, lane FROM message WHERE state < 4 AND \(own)",
                    arguments: which)
            else { return .done(.gone) }
            let tail: Data = row["tail"]
            guard let entry = tail.withUnsafeBytes({ Tail.token(key, $0) })?.entry,
                (row["lane"] as Int64) != Lane.of(entry)
            else { return .done(.gone) }
            return try mend(
                "it joins the line of its entry",
                "UPDATE message SET lane = :lane WHERE \(own)", which + ["lane": Lane.of(entry)])
        case .leaseWithoutDeadline:
            let isThere =
                try Int64.fetchOne(
                    self,
                    sql:
                        "SELECT 1 FROM message WHERE state = 1 AND at > \(Int64.max / 2) AND \(own)",
                    arguments: which) != nil
            guard isThere else { return .done(.gone) }
            return try mend(
                "its lease ends in half a minute", "UPDATE message SET at = :at WHERE \(own)",
                which + ["at": now + 30_000])
        case .bodyMissing:
            return .done(
                .refused("a body can't be made again: cancel the message, and enqueue it anew"))
        case .recordWithoutIndex, .indexWithoutRecord, .registry:
            return .done(.refused("SQLite keeps these itself: run PRAGMA integrity_check"))
        case .expiredLease, .overBound:
            return .done(.gone)
        }
    }
}
