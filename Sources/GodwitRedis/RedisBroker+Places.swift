// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Where messages stand, read in slices from a queue that may be in use.
extension RedisBroker {
    /// Suspicions of one sort that are put to the server in one look: each is a step of its own there.
    static let mostConfirmed = 1000
    private static let slice = 1000

    struct Standing {
        var name: String
        var member: [UInt8]
    }

    /// The ids of up to `limit` messages that have a body.
    func bodies(
        in book: RedisQueue, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> [[UInt8]] {
        var ids: Set<[UInt8]> = []
        var cursor = "0"
        repeat {
            var command = call(scripts.repair, in: book, capacity: 128)
            command.append("ids")
            command.append(cursor)
            command.append("")
            command.append(1)
            seal(&command)
            guard let reply = try await value(of: command, what).elements, reply.count == 2,
                let next = reply[0].string, let slice = reply[1].elements
            else { throw failure.unreadable(what) }
            for id in slice.compactMap(\.bytes) { ids.insert(Array(id)) }
            cursor = next
        } while cursor != "0" && ids.count < limit
        return Array(ids)
    }

    /// Up to `limit` places in all, and whether these are all.
    ///
    /// In the order in which messages move (scheduled, ready, leased, dead), so that one that moves on
    /// is rather seen twice than never.
    func everyPlace(
        in book: RedisQueue, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> (places: [Standing], isWhole: Bool) {
        var places: [Standing] = []
        try await scan("d", in: book, limit, what, into: &places)
        let lists = Self.lists(of: try await kinds(of: book.name, what).keys).map(Self.name)
        var lengths: [RESPValue] = []
        if !lists.isEmpty {
            lengths = try await values(
                of: lists.map { RedisCommand(["LLEN", book.keys.tag + $0]) }, what)
        }
        for (list, length) in zip(lists, lengths) where length.int ?? 0 > 0 {
            try await read(list, in: book, limit, what, into: &places)
        }
        try await scan("le", in: book, limit, what, into: &places)
        try await scan("x", in: book, limit, what, into: &places)
        return (places, places.count < limit)
    }

    /// Members of a sorted set; what stands there all the time is seen, whatever comes and goes.
    private func scan(
        _ set: String, in book: RedisQueue, _ limit: Int, _ what: String,
        into places: inout [Standing]
    ) async throws(BrokerError) {
        var members: Set<[UInt8]> = []
        var cursor = "0"
        repeat {
            guard places.count + members.count < limit else { break }
            let command = RedisCommand(["ZSCAN", book.keys.tag + set, cursor, "COUNT", "500"])
            guard let reply = try await value(of: command, what).elements, reply.count == 2,
                let next = reply[0].string, let flat = reply[1].elements
            else { throw failure.unreadable(what) }
            for index in stride(from: 0, to: flat.count, by: 2) {
                if let member = flat[index].bytes { members.insert(Array(member)) }
            }
            cursor = next
        } while cursor != "0"
        places += members.map { Standing(name: set, member: $0) }
    }

    /// Entries of a list from its tail to its head: workers take from the head, and that moves nothing of
    /// what is still to be read. What is enqueued meanwhile moves it towards the head: then a page ends
    /// with what the one before began with.
    private func read(
        _ list: String, in book: RedisQueue, _ limit: Int, _ what: String,
        into places: inout [Standing]
    ) async throws(BrokerError) {
        var start = 0
        var last: [[UInt8]] = []
        while places.count < limit {
            let command = RedisCommand([
                "LRANGE", book.keys.tag + list, "\(-start - Self.slice)", "\(-start - 1)",
            ])
            var page =
                try await value(of: command, what).elements?.compactMap(\.bytes)
                .map { Array($0) } ?? []
            let count = page.count
            if let end = page.last, let index = last.firstIndex(of: end),
                page.suffix(index + 1).elementsEqual(last.prefix(index + 1))
            {
                page.removeLast(index + 1)
            }
            places += page.map { Standing(name: list, member: $0) }
            if !page.isEmpty { last = page }
            // Why: an index before the head is the head.
            if count < Self.slice { return }
            start += Self.slice
        }
    }
}
