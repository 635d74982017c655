// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

extension RedisBroker {
    /// A message on its way to another queue.
    private struct Freight: Sendable {
        var place: Int
        var token: LeaseToken
        var target: QueueName
        /// As it is stored here.
        var value: ArraySlice<UInt8>
        var kind: Kind
    }

    /// Brings messages that are to be forwarded into their targets, under their own ids; the caller
    /// then settles them here.
    ///
    /// A crash between the two leaves a copy there and a lease here: when it runs out, the next
    /// forward finds the copy and goes on. Answers the places that can't be settled now, because an
    /// older copy is still live at the target or the target is full.
    func forward(
        _ settlements: [Settlement], _ forwards: [Int], from queue: RedisQueue,
        then: @escaping @Sendable (Result<Set<Int>, BrokerError>) -> Void
    ) {
        let what = "forward from '\(queue.name)'"
        var commands: [RedisCommand] = []
        for place in forwards {
            let token = settlements[place].token
            var lease = RedisCommand("ZSCORE", capacity: 160)
            lease.append(queue.keys.key("le"))
            token.withUnsafeBytes { lease.append(bytes: $0) }
            var body = RedisCommand("HGET", capacity: 160)
            body.append(queue.keys.key("p"))
            body.append(token.id.bytes)
            let kind = KeySpace.field(of: token.entry.kindHash)
            commands += [lease, body, RedisCommand(["HGET", queue.keys.key("k"), kind])]
        }
        submit(commands) { [self] result in
            let freight: [Freight]
            do throws(BrokerError) {
                freight = try load(settlements, forwards, result, what)
            } catch {
                return then(.failure(error))
            }
            registerTargets(freight[...]) { [self] registered in
                if case .failure(let error) = registered { return then(.failure(error)) }
                deliver(freight, what, then)
            }
        }
    }

    /// What is really ours to forward: a lease that is gone is told by the settle that follows.
    private func load(
        _ settlements: [Settlement], _ forwards: [Int],
        _ result: Result<[RESPValue], RedisError>, _ what: String
    ) throws(BrokerError) -> [Freight] {
        let replies: [RESPValue]
        switch result {
        case .success(let values): replies = values
        // These were only reads: nothing has happened.
        case .failure(let error):
            throw failure.error(
                error.kind == .unknown
                    ? RedisError(.unavailable, error.text, server: error.server) : error, what)
        }
        for case .error(let text) in replies { throw failure.error(RedisError(reply: text), what) }
        guard replies.count == 3 * forwards.count else { throw failure.unreadable(what) }
        var freight: [Freight] = []
        for (index, place) in forwards.enumerated() {
            let settlement = settlements[place]
            guard case .forward(let target) = settlement.verdict, !replies[3 * index].isNull,
                let value = replies[3 * index + 1].bytes, !value.isEmpty
            else { continue }
            let name = replies[3 * index + 2].string ?? ""
            do throws(InvalidName) {
                let kind = try Kind(name)
                freight.append(
                    Freight(
                        place: place, token: settlement.token, target: target, value: value,
                        kind: kind))
            } catch {
                throw failure.unreadable(what)
            }
        }
        return freight
    }

    private func registerTargets(
        _ freight: ArraySlice<Freight>,
        _ then: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        guard let first = freight.first else { return then(.success(())) }
        let target = book(first.target)
        let kinds = freight.filter { $0.target == first.target }.map(\.kind)
        let rest = freight.filter { $0.target != first.target }
        do throws(KindCollision) {
            let (isNew, missing) = try target.unregistered(
                kinds, generation: client.generation, asProducer: true)
            if !isNew && missing.isEmpty { return registerTargets(rest[...], then) }
            register(missing, isNew, in: target) { [self] result in
                if case .failure = result { return then(result) }
                registerTargets(rest[...], then)
            }
        } catch {
            // The name is refused by the store, with the sentence for the reader.
            register(kinds, false, in: target, then: then)
        }
    }

    private func deliver(
        _ freight: [Freight], _ what: String,
        _ then: @escaping @Sendable (Result<Set<Int>, BrokerError>) -> Void
    ) {
        var groups: [[Freight]] = []
        for item in freight {
            let list = item.token.entry.priority
            if let last = groups.lastIndex(where: {
                $0[0].target == item.target && $0[0].kind == item.kind
                    && $0[0].token.entry.priority == list
            }), groups[last].count < Self.smallBatch {
                groups[last].append(item)
            } else {
                groups.append([item])
            }
        }
        submit(groups.map(arrival)) { [self, groups] result in
            switch result {
            case .failure(let error): then(.failure(failure.error(error, what)))
            case .success(let replies):
                var busy: Set<Int> = []
                for (group, reply) in zip(groups, replies) {
                    if case .error(let text) = reply {
                        return then(.failure(failure.error(RedisError(reply: text), what)))
                    }
                    let refused = reply.elements ?? []
                    for start in stride(from: 0, to: refused.count - 2, by: 3) {
                        guard let place = refused[start].int, group.indices.contains(place) else {
                            continue
                        }
                        // Known there as new as this: it has arrived before. Else: not now.
                        if refused[start + 1].int != 1 { busy.insert(group[place].place) }
                    }
                }
                then(.success(busy))
            }
        }
    }

    /// ENQUEUE mode 3 of messages of one list.
    private func arrival(_ group: [Freight]) -> RedisCommand {
        let first = group[0]
        let queue = book(first.target)
        var command = call(
            scripts.enqueue, in: queue, moreKeys: 1,
            capacity: group.reduce(queue.keys.listBytes) { $0 + $1.value.count + 128 })
        queue.keys.appendList(
            band: first.token.entry.priority.band, kind: first.kind.hash, to: &command)
        command.append(3)
        command.append(group.flatMap(\.token.id.bytes))
        for item in group {
            var value = Array(item.value)
            value[0] &= 0x7F  // The unique key stays behind.
            command.append(value)
            command.append("")
            command.append(0)
            let epoch = (item.token.entry.epoch + 1) & 0xFF_FFFF
            command.append((0..<3).map { UInt8(truncatingIfNeeded: epoch >> UInt32(16 - 8 * $0)) })
        }
        seal(&command)
        return command
    }
}
