// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

extension Store {
    /// Nothing → ready or scheduled, each message by itself, in their order.
    func enqueue(
        _ messages: ArraySlice<NewMessage>, to name: QueueName
    ) throws(StoreFault) -> [EnqueueOutcome] {
        var queue = try open(name)
        var outcomes: [EnqueueOutcome] = []
        outcomes.reserveCapacity(messages.count)
        var lastKind: Kind?
        for message in messages {
            if message.kind != lastKind {
                try register(message.kind, in: queue.number)
                lastKind = message.kind
                wake(queue.number, message.kind.hash)
            }
            outcomes.append(try enqueue(message, &queue))
        }
        put(queue)
        return outcomes
    }

    /// Registers kinds of messages that come in later steps.
    func register(_ kinds: Set<Kind>, in name: QueueName) throws(StoreFault) {
        if kinds.isEmpty { return }
        let number = try open(name).number
        for kind in kinds { try register(kind, in: number) }
    }

    private func enqueue(
        _ message: NewMessage, _ queue: inout QueueState
    ) throws(StoreFault) -> EnqueueOutcome {
        let key = Key(message.id)
        let isPlain = !message.isResend && message.uniqueKey == nil && queue.room > 0
        if !isPlain {
            if try row(key, queue.number) != nil { return .known }
            if message.isResend, let created = message.id.timestamp,
                created.milliseconds <= queue.horizon
            {
                return .unknown
            }
            if let unique = message.uniqueKey, let owner = try owner(of: unique, queue.number) {
                return .duplicate(of: owner.id)
            }
            if queue.room <= 0 { return .full }
        }
        let readyAt =
            switch message.due {
            case .now: now
            case .after(let delay): Timestamp.milliseconds(delay, after: now)
            case .at(let moment): min(max(moment.milliseconds, now), Timestamp.latest.milliseconds)
            }
        let entry = Entry(
            id: message.id, priority: message.priority,
            sizeClass: Entry.sizeClass(ofBody: message.body.count),
            hasUniqueKey: message.uniqueKey != nil, kindHash: message.kind.hash,
            maxAttempts: message.maxAttempts, insertedAt: Timestamp(milliseconds: now),
            readyAt: Timestamp(milliseconds: readyAt))
        guard try insert(entry, message.body, hasAside: message.uniqueKey != nil, &queue) else {
            return .known
        }
        if let unique = message.uniqueKey {
            try insertAside(key, queue.number, unique: unique)
            try take(unique, for: key, queue.number)
        }
        return .enqueued
    }

    /// Writes the row of a new message; false when there is one of this id already.
    func insert(
        _ entry: Entry, _ body: [UInt8], hasAside: Bool, _ queue: inout QueueState
    ) throws(StoreFault) -> Bool {
        let isDue = entry.readyAt.milliseconds <= now
        let key = Key(entry.id)
        let insert = sql.insertMessage
        insert.bind(1, id: key.pair)
        insert.bind(3, queue.number)
        insert.bind(4, isDue ? Stage.ready : Stage.scheduled)
        insert.bind(5, Lane.of(entry))
        insert.bind(6, queue.tail + 1)
        insert.bind(7, entry.readyAt.milliseconds)
        var aside = hasAside ? Aside.row : 0
        var number: Int64 = 0
        if body.count > Schema.inlineBody {
            aside |= Aside.body
            number = try insertBody(body)
        }
        insert.bind(9, aside)
        // The bytes stay where they are until the statement has run and lets go of them.
        let result = LeaseToken.unused(entry).withTail { tail -> Result<Void, StoreFault> in
            insert.bind(8, pinned: tail)
            if number != 0 {
                insert.bind(10, number)
                return Result { () throws(StoreFault) in try insert.run() }
            }
            return body.withUnsafeBytes { bytes in
                insert.bind(10, pinned: bytes)
                return Result { () throws(StoreFault) in try insert.run() }
            }
        }
        try result.get()
        guard changes == 1 else {
            if number != 0 { try deleteBody(number) }
            return false
        }
        queue.tail += 1
        queue.enqueued += 1
        if isDue { queue.ready += 1 } else { queue.scheduled += 1 }
        return true
    }

    // MARK: Bodies

    private func insertBody(_ body: [UInt8]) throws(StoreFault) -> Int64 {
        let result = body.withUnsafeBytes { bytes -> Result<Void, StoreFault> in
            sql.insertBody.bind(1, pinned: bytes)
            return Result { () throws(StoreFault) in try sql.insertBody.run() }
        }
        try result.get()
        return sqlite3_last_insert_rowid(database)
    }

    func deleteBody(_ number: Int64) throws(StoreFault) {
        sql.deleteBody.bind(1, number)
        try sql.deleteBody.run()
    }

    /// The bytes of `number` in the table `body`; nil when they are gone.
    func body(_ number: Int64) throws(StoreFault) -> [UInt8]? {
        sql.selectBody.bind(1, number)
        defer { sql.selectBody.reset() }
        return try sql.selectBody.step() ? sql.selectBody.bytes(0) : nil
    }

    /// The body of a message that has not ended.
    func body(of key: Key, _ queue: Int64) throws(StoreFault) -> [UInt8]? {
        let select = sql.selectMessage
        select.bind(1, id: key.pair)
        select.bind(3, queue)
        defer { select.reset() }
        guard try select.step(), !select.isNull(5) else { return nil }
        return select.int(3) & Aside.body != 0
            ? try body(select.int(5)) : select.bytes(5)
    }
}
