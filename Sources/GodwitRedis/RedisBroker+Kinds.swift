// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    /// Pipelined lengths and heads of the lines of each kind. Messages that were cancelled while they
    /// waited stay in line until somebody reaches them: those among the heads are looked up and not
    /// counted, others are subtracted where only one kind can have them.
    public func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] {
        let what = "count the kinds of '\(queue)'"
        let names = try await kinds(of: queue, what)
        let book = book(queue)
        let lists = Self.lists(of: names.keys)
        var commands = [RedisCommand(["HGET", book.keys.key("st"), "ghosts"])]
        for list in lists {
            var length = RedisCommand("LLEN", capacity: 128)
            var heads = RedisCommand("LRANGE", capacity: 160)
            book.keys.appendList(
                band: list.band, kind: list.kind, suspects: list.suspects, to: &length)
            book.keys.appendList(
                band: list.band, kind: list.kind, suspects: list.suspects, to: &heads)
            heads.append(0)
            heads.append(KindCount.looks - 1)
            commands += [length, heads]
        }
        let values = try await values(of: commands, what)
        guard values.count == commands.count else { throw failure.unreadable(what) }
        var counts = names.mapValues { KindCount(kind: $0, hash: 0, ready: 0) }
        var heads: [(kind: UInt32, entry: ArraySlice<UInt8>)] = []
        for (index, list) in lists.enumerated() {
            counts[list.kind]?.hash = list.kind
            counts[list.kind]?.ready += values[1 + 2 * index].int ?? 0
            for entry in (values[2 + 2 * index].elements ?? []).compactMap(\.bytes) {
                heads.append((list.kind, entry))
            }
        }
        var ghosts = max(0, values[0].int ?? 0)
        if ghosts > 0, !heads.isEmpty {
            let gone = try await tombstones(heads.map { $0.entry.prefix(16) }, in: book, what)
            for (index, head) in heads.enumerated().reversed() where gone[index] {
                counts[head.kind]?.ready -= 1
                ghosts -= 1
                heads.remove(at: index)
            }
            let waiting = counts.values.filter { $0.ready > 0 }.map(\.hash)
            if waiting.count == 1, ghosts > 0 { counts[waiting[0]]?.ready -= ghosts }
        }
        for head in heads {
            if let entry = head.entry.withUnsafeBytes({ Entry(bytes: $0) }) {
                counts[head.kind]?.note(entry.readyAt)
            }
        }
        return counts.values.map { count in
            var count = count
            count.ready = max(0, count.ready)
            return count
        }.sorted { $0.kind < $1.kind }
    }

    /// Which of these entries in line belong to messages that were cancelled there.
    private func tombstones(
        _ ids: [ArraySlice<UInt8>], in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [Bool] {
        let commands = ids.map { id in
            var command = RedisCommand("HSTRLEN", capacity: 128)
            command.append(queue.keys.key("p"))
            command.append(id)
            return command
        }
        let lengths = try await values(of: commands, what)
        guard lengths.count == ids.count else { throw failure.unreadable(what) }
        return lengths.map { $0.int == 0 }
    }

    /// One pipelined read over all queues of the registry, then a look at each that knows the id.
    public func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        let what = "find \(id)"
        var best: FoundMessage?
        var rest = try await queues()[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(500))
            rest = rest.dropFirst(part.count)
            var commands: [RedisCommand] = []
            for queue in part {
                for hash in ["m", "p"] as [StaticString] {
                    var command = RedisCommand("HSTRLEN", capacity: 128)
                    command.append(book(queue).keys.key(hash))
                    command.append(id.bytes)
                    commands.append(command)
                }
            }
            let values = try await values(of: commands, what)
            guard values.count == commands.count else { throw failure.unreadable(what) }
            for (index, queue) in part.enumerated() {
                let isKnown = values[2 * index].int ?? 0 > 0 || values[2 * index + 1].int ?? 0 > 0
                guard isKnown, let record = try await message(id, in: queue) else { continue }
                let found = FoundMessage(queue: queue, record: record)
                if best.map({ found.goesBefore($0) }) ?? true { best = found }
            }
        }
        return best
    }
}
