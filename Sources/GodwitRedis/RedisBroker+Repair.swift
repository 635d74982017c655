// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

/// What was seen in several reads may be a message on its way: each suspicion is put to the server in
/// one step, by the script that would mend it, before it is called a fault.
extension RedisBroker: Repairable {
    public func faults(in queue: QueueName, limit: Int) async throws(BrokerError) -> [Fault] {
        let what = "look for faults in '\(queue)'"
        let book = book(queue)
        var suspicions = try await places(in: book, limit, what)
        suspicions += try await uniqueKeys(in: book, limit, what)
        suspicions += try await leftovers(in: book, limit, what)
        suspicions += try await deadlines(in: book, what)
        suspicions.append(
            Suspicion(.counter, "sus", [], "", nil, "The counter of suspects is wrong"))
        suspicions.append(
            Suspicion(.counter, "ghosts", [], "", nil, "The counter of tombstones is wrong"))
        var faults: [Fault] = []
        // What stands twice in one list is suspected twice, and is one fault.
        var asked: Set<String> = []
        for suspicion in suspicions {
            let fault = suspicion.fault(in: queue)
            guard asked.insert(fault.place).inserted else { continue }
            switch try await repair(fault, isDryRun: true) {
            case .gone: continue
            case .mended(let text): faults.append(fault.saying(text))
            case .refused(let text):
                // A list that is too long to be counted is no fault.
                if suspicion.kind != .counter { faults.append(fault.saying(text)) }
            }
        }
        return try await faults + bounds(of: book, what)
    }

    public func repair(_ fault: Fault, isDryRun: Bool) async throws(BrokerError) -> RepairOutcome {
        let what = "repair '\(fault.queue)'"
        let book = book(fault.queue)
        switch fault.kind {
        case .expiredLease:
            guard try await expired(in: book, what) > 0 else { return .gone }
            if isDryRun { return .mended("leases that ran out are taken back, 64 at a time") }
            var count = 0
            while true {
                let step = try await reclaim(Self.smallBatch, in: fault.queue)
                count += step.ready + step.dead
                if step.ready + step.dead == 0 { return .mended("\(count) leases were taken back") }
            }
        case .overBound:
            guard try await overBound(of: book, what) != nil else { return .gone }
            if isDryRun { return .mended("records beyond the bound are dropped, 64 at a time") }
            for _ in 0..<10_000 where try await overBound(of: book, what) != nil {
                _ = try await prune(Self.smallBatch, in: fault.queue)
            }
            return .mended("records beyond the bound were dropped")
        case .registry:
            let read = RedisCommand(["HGET", book.keys.registry, fault.queue.text])
            if try await value(of: read, what).string == KeySpace.registered { return .gone }
            if !isDryRun {
                let write = RedisCommand([
                    "HSET", book.keys.registry, fault.queue.text, KeySpace.registered,
                ])
                _ = try await value(of: write, what)
            }
            return .mended("the registry says again that it is a queue of one shard")
        default: break
        }
        let parts = fault.place.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, let subject = Suspicion.bytes(ofHex: parts[1]) else {
            return .refused("its place '\(fault.place.escapedForDisplay)' is not one of this store")
        }
        var command = call(scripts.repair, in: book, capacity: subject.count + 64)
        command.append(String(parts[0]))
        command.append(subject)
        command.append(String(parts[2]))
        command.append(isDryRun ? 1 : 0)
        seal(&command)
        let reply = try await value(of: command, what).elements ?? []
        switch (reply.first?.int, reply.count > 1 ? reply[1].string : nil) {
        case (0, _): return .gone
        case (1, let text?): return .mended(text)
        case (2, let text?): return .refused(text)
        default: throw failure.unreadable(what)
        }
    }

    // MARK: Suspicions

    /// What may be a fault: a word of the script, its subject and place.
    private struct Suspicion {
        var kind: Fault.Kind
        var word: String
        var subject: [UInt8]
        var place: String
        var message: MessageID?
        var sentence: String

        init(
            _ kind: Fault.Kind, _ word: String, _ subject: [UInt8], _ place: String,
            _ message: MessageID?, _ sentence: String
        ) {
            self.kind = kind
            self.word = word
            self.subject = subject
            self.place = place
            self.message = message
            self.sentence = sentence
        }

        func fault(in queue: QueueName) -> Fault {
            Fault(
                kind, in: queue, message: message,
                place: "\(word) \(Hex.string(subject)) \(place)", sentence)
        }

        static func bytes(ofHex text: Substring) -> [UInt8]? {
            let digits = text.utf8.map { Hex.value(of: $0) }
            guard digits.count % 2 == 0 else { return nil }
            var bytes: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                guard let high = digits[index], let low = digits[index + 1] else { return nil }
                bytes.append(high << 4 | low)
            }
            return bytes
        }
    }

    /// Every place against the record and the body of its message, and bodies against places.
    private func places(
        in book: RedisQueue, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> [Suspicion] {
        // Why before the places: what is enqueued from here on is not missed in them.
        let bodies = try await bodies(in: book, limit, what)
        let (places, isWhole) = try await everyPlace(in: book, limit, what)
        var suspicions: [Suspicion] = []
        var seen: [[UInt8]: Int] = [:]
        for place in places { seen[Array(place.member.prefix(16)), default: 0] += 1 }
        for start in stride(from: 0, to: places.count, by: 500) {
            let slice = places[start..<min(start + 500, places.count)]
            let looks = try await look(at: slice.map { Array($0.member.prefix(16)) }, book, what)
            for (place, look) in zip(slice, looks)
            where seen[Array(place.member.prefix(16))] != 1
                || !look.fits(place.name, place.member)
            {
                let id = MessageID(bytes: place.member.prefix(16))
                suspicions.append(
                    Suspicion(
                        look.body == nil ? .indexWithoutRecord : .secondIndex, "stray",
                        place.member, place.name, id,
                        "\(id.map { "\($0)" } ?? "An entry") stands in '\(place.name)'"
                            + (look.body == nil
                                ? ", and no body of it is there" : ", which is not its one place")))
            }
        }
        suspicions = Array(suspicions.prefix(Self.mostConfirmed))
        // Why whole: bodies against a part of the places would tell nothing.
        guard isWhole else { return suspicions }
        // To confirm one that is ready, the server may have to walk along the lists.
        let most = max(100, min(Self.mostConfirmed, 2_000_000 / max(1, places.count)))
        var lost = 0
        for id in bodies where seen[id] == nil {
            let message = MessageID(bytes: id[...])
            suspicions.append(
                Suspicion(
                    .recordWithoutIndex, "home", id, "", message,
                    "\(message.map { "\($0)" } ?? "A body") stands in no list: no worker finds it"))
            lost += 1
            if lost >= most { break }
        }
        return suspicions
    }

    static func name(of list: (band: UInt8, kind: UInt32, suspects: Bool)) -> String {
        "w:\(list.band):\(KeySpace.field(of: list.kind))\(list.suspects ? "!" : "")"
    }

    private struct Look {
        /// Nil: none; 0: a tombstone.
        var body: Int?
        var record: [UInt8]?

        /// At first sight all is well.
        func fits(_ place: String, _ member: [UInt8]) -> Bool {
            guard let body else { return false }
            if body == 0 { return place.hasPrefix("w:") }
            guard let record else { return place.hasPrefix("w:") || place == "le" }
            guard record.starts(with: member.prefix(Entry.size)) else { return false }
            let letter = record.count > LeaseToken.size ? record[LeaseToken.size] : 0
            switch place {
            case "le": return record.count == LeaseToken.size && record == member
            case "x": return letter == UInt8(ascii: "d")
            default:
                return record.count != LeaseToken.size
                    && !"adkf".utf8.contains(letter)
            }
        }
    }

    private func look(
        at ids: [[UInt8]], _ book: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [Look] {
        if ids.isEmpty { return [] }
        var records = RedisCommand("HMGET", capacity: 64 + 24 * ids.count)
        records.append(book.keys.key("m"))
        var commands: [RedisCommand] = []
        for id in ids {
            records.append(id)
            for word in ["HEXISTS", "HSTRLEN"] as [StaticString] {
                var command = RedisCommand(word.description, capacity: 128)
                command.append(book.keys.key("p"))
                command.append(id)
                commands.append(command)
            }
        }
        let values = try await values(of: commands + [records], what)
        guard values.count == 2 * ids.count + 1, let stored = values.last?.elements,
            stored.count == ids.count
        else { throw failure.unreadable(what) }
        return ids.indices.map { index in
            Look(
                body: values[2 * index].int == 1 ? values[2 * index + 1].int : nil,
                record: stored[index].bytes.map { Array($0) })
        }
    }

    /// The fields of a hash in slices; up to `limit` of them.
    private func fields(
        of hash: StaticString, in book: RedisQueue, _ limit: Int, _ what: String,
        _ body: ([(field: [UInt8], value: [UInt8])]) async throws(BrokerError) -> Void
    ) async throws(BrokerError) {
        var cursor = "0"
        var looked = 0
        repeat {
            let command = RedisCommand(["HSCAN", book.keys.key(hash), cursor, "COUNT", "500"])
            guard let reply = try await value(of: command, what).elements, reply.count == 2,
                let next = reply[0].string, let flat = reply[1].elements
            else { throw failure.unreadable(what) }
            cursor = next
            let pairs = stride(from: 0, to: flat.count - 1, by: 2).compactMap { index in
                flat[index].bytes.flatMap { field in
                    flat[index + 1].bytes.map { (field: Array(field), value: Array($0)) }
                }
            }
            looked += pairs.count
            try await body(pairs)
        } while cursor != "0" && looked < limit
    }

    private func uniqueKeys(
        in book: RedisQueue, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> [Suspicion] {
        var suspicions: [Suspicion] = []
        try await fields(of: "u", in: book, limit, what) { pairs throws(BrokerError) in
            let looks = try await look(at: pairs.map(\.value), book, what)
            for (pair, look) in zip(pairs, looks) where !Self.isLive(look) {
                let name = String(decoding: pair.field, as: UTF8.self)
                suspicions.append(
                    Suspicion(
                        .uniqueKeyWithoutOwner, "unique", pair.field, "",
                        MessageID(bytes: pair.value[...]),
                        "The unique key '\(name)' is held by a message that is not live"))
            }
        }
        try await fields(of: "ui", in: book, limit, what) { pairs throws(BrokerError) in
            if pairs.isEmpty { return }
            let looks = try await look(at: pairs.map(\.field), book, what)
            var holders = RedisCommand("HMGET", capacity: 64 + 64 * pairs.count)
            holders.append(book.keys.key("u"))
            for pair in pairs { holders.append(pair.value) }
            let held = try await value(of: holders, what).elements ?? []
            for (index, pair) in pairs.enumerated() where index < held.count {
                guard Self.isLive(looks[index]), held[index].bytes.map({ Array($0) }) != pair.field
                else { continue }
                let id = MessageID(bytes: pair.field[...])
                suspicions.append(
                    Suspicion(
                        .ownerWithoutUniqueKey, "claim", pair.field, "", id,
                        "\(id.map { "\($0)" } ?? "A message") is live and does not hold its unique key"
                    ))
            }
        }
        return suspicions
    }

    private static func isLive(_ look: Look) -> Bool {
        guard let body = look.body, body > 0 else { return false }
        guard let record = look.record, record.count > LeaseToken.size else { return true }
        return !"adkf".utf8.contains(record[LeaseToken.size])
    }

    private func leftovers(
        in book: RedisQueue, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> [Suspicion] {
        var suspicions: [Suspicion] = []
        for (hash, name) in [("pr" as StaticString, "progress"), ("ah", "attempts"), ("ui", "key")]
        {
            try await fields(of: hash, in: book, limit, what) { pairs throws(BrokerError) in
                let looks = try await look(at: pairs.map(\.field), book, what)
                for (pair, look) in zip(pairs, looks) where look.body == nil {
                    let id = MessageID(bytes: pair.field[...])
                    suspicions.append(
                        Suspicion(
                            .leftover, "leftover", pair.field, hash.description, id,
                            "The \(name) of \(id.map { "\($0)" } ?? "a message") is kept, which has ended"
                        ))
                }
            }
        }
        return suspicions
    }

    private func deadlines(
        in book: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [Suspicion] {
        let far = (time.now() + clockOffset).milliseconds + 366 * 86_400_000
        let command = RedisCommand([
            "ZRANGE", book.keys.key("le"), "\(far)", "+inf", "BYSCORE", "LIMIT", "0", "1000",
        ])
        return try await value(of: command, what).elements?.compactMap(\.bytes).map { member in
            let id = MessageID(bytes: member.prefix(16))
            return Suspicion(
                .leaseWithoutDeadline, "deadline", Array(member), "le", id,
                "The lease of \(id.map { "\($0)" } ?? "a message") has no deadline that will come")
        } ?? []
    }

    // MARK: Bounds

    private func bounds(
        of book: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [Fault] {
        var faults: [Fault] = []
        let late = try await expired(in: book, what)
        if late > 0 {
            faults.append(
                Fault(
                    .expiredLease, in: book.name,
                    "\(late) leases ran out over a minute ago and nobody took them back."))
        }
        if let over = try await overBound(of: book, what) {
            faults.append(
                Fault(
                    .overBound, in: book.name,
                    "\(over) finished records are kept beyond the queue's bound."))
        }
        let read = RedisCommand(["HGET", book.keys.registry, book.name.text])
        let entry = try await value(of: read, what).string
        let used = try await value(of: RedisCommand(["EXISTS", book.keys.key("st")]), what).int
        if used == 1, entry != KeySpace.registered {
            faults.append(
                Fault(
                    .registry, in: book.name,
                    "The registry says '\((entry ?? "nothing").escapedForDisplay)' of '\(book.name)', not "
                        + "'\(KeySpace.registered)'."))
        }
        return faults
    }

    private func expired(in book: RedisQueue, _ what: String) async throws(BrokerError) -> Int {
        let limit = (time.now() + clockOffset).milliseconds - 60_000
        let command = RedisCommand(["ZCOUNT", book.keys.key("le"), "-inf", "\(limit)"])
        return try await value(of: command, what).int ?? 0
    }

    /// How many finished records are beyond the bound and what one round of trims may leave.
    private func overBound(of book: RedisQueue, _ what: String) async throws(BrokerError) -> Int? {
        let most = try await settings(of: book.name).keepRecords
        let values = try await values(
            of: [
                RedisCommand(["HGET", book.keys.key("st"), "ended"]),
                RedisCommand(["LINDEX", book.keys.key("c"), "0"]),
            ], what)
        guard values.count == 2, let ended = values[0].int, let head = values[1].bytes,
            head.count >= 13
        else { return nil }
        let over = ended - Int(head.number(at: 0, bytes: 6)) - most
        return over > 1000 ? over : nil
    }
}

extension Fault {
    /// With what its repair would do.
    fileprivate func saying(_ text: String) -> Fault {
        var fault = self
        fault.sentence += "; \(text)."
        return fault
    }
}
