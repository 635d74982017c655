// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
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

    /// What became of forwards, by their places.
    struct Forwarded: Sendable {
        /// Can't be settled now: they stay leased here, and their owner tries again.
        var busy: Set<Int> = []
        /// Have a lease and no body: there is nothing to forward.
        var lost: Set<Int> = []
    }

    /// The reason of a dead letter without a body, as RESERVE writes it.
    static let payloadLost = "payload lost"

    /// Brings messages that are to be forwarded into their targets, under their own ids; the caller
    /// then settles them here. A part at a time, so that no call carries more bytes than the limit.
    ///
    /// A crash between the two leaves a copy there and a lease here: when it runs out, the next
    /// forward finds the copy and goes on. What fails is busy, like one whose older copy is still
    /// live at the target or whose target is full: it must not hold up what is settled beside it.
    func forward(
        _ settlements: [Settlement], _ forwards: ArraySlice<Int>, from queue: RedisQueue,
        _ before: Forwarded = Forwarded(), logger: Logger = .current,
        then: @escaping @Sendable (Forwarded) -> Void
    ) {
        var bytes = 0
        let part = forwards.prefix { place in
            bytes += settlements[place].token.entry.sizeBound
            return place == forwards.first || bytes <= limits.batchBytes
        }
        .prefix(Self.smallBatch)
        if part.isEmpty { return then(before) }
        let rest = forwards[part.endIndex...]
        forwardPart(settlements, Array(part), from: queue, logger) { [self] forwarded in
            var all = before
            all.busy.formUnion(forwarded.busy)
            all.lost.formUnion(forwarded.lost)
            forward(settlements, rest, from: queue, all, logger: logger, then: then)
        }
    }

    private func forwardPart(
        _ settlements: [Settlement], _ forwards: [Int], from queue: RedisQueue, _ logger: Logger,
        then: @escaping @Sendable (Forwarded) -> Void
    ) {
        let what = "forward from '\(queue.name)'"
        @Sendable func report(_ error: BrokerError, _ count: Int) {
            logger.warning("\(count) message(s) can't be forwarded now, trying again: \(error)")
        }
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
            var forwarded = Forwarded()
            let freight: [Freight]
            do throws(BrokerError) {
                freight = try load(settlements, forwards, result, what, &forwarded)
            } catch {
                report(error, forwards.count)
                return then(Forwarded(busy: Set(forwards)))
            }
            if !forwarded.busy.isEmpty { report(failure.unreadable(what), forwarded.busy.count) }
            registerTargets(freight) { [self, forwarded] registered, errors in
                for (error, count) in errors { report(error, count) }
                var forwarded = forwarded
                forwarded.busy.formUnion(
                    Set(freight.map(\.place)).subtracting(registered.map(\.place)))
                deliver(registered, what, report) { [forwarded] busy in
                    var forwarded = forwarded
                    forwarded.busy.formUnion(busy)
                    then(forwarded)
                }
            }
        }
    }

    /// What is really ours to forward: a lease that is gone is told by the settle that follows.
    private func load(
        _ settlements: [Settlement], _ forwards: [Int],
        _ result: Result<[RESPValue], RedisError>, _ what: String, _ forwarded: inout Forwarded
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
            guard case .forward(let target) = settlement.verdict, !replies[3 * index].isNull else {
                continue
            }
            guard let value = replies[3 * index + 1].bytes, !value.isEmpty else {
                forwarded.lost.insert(place)
                continue
            }
            guard let kind = try? Kind(replies[3 * index + 2].string ?? "") else {
                forwarded.busy.insert(place)
                continue
            }
            freight.append(
                Freight(
                    place: place, token: settlement.token, target: target, value: value, kind: kind)
            )
        }
        return freight
    }

    /// Answers what may go, and why the rest may not; a kind at a time, as one may be refused.
    private func registerTargets(
        _ freight: [Freight],
        _ then: @escaping @Sendable ([Freight], [(BrokerError, Int)]) -> Void
    ) {
        var groups: [[Freight]] = []
        for item in freight {
            if let group = groups.firstIndex(where: {
                $0[0].target == item.target && $0[0].kind == item.kind
            }) {
                groups[group].append(item)
            } else {
                groups.append([item])
            }
        }
        registerTargets(groups[...], [], [], then)
    }

    private func registerTargets(
        _ groups: ArraySlice<[Freight]>, _ registered: [Freight], _ errors: [(BrokerError, Int)],
        _ then: @escaping @Sendable ([Freight], [(BrokerError, Int)]) -> Void
    ) {
        guard let group = groups.first, let first = group.first else {
            // In the order of the batch again.
            return then(registered.sorted { $0.place < $1.place }, errors)
        }
        let target = book(first.target)
        @Sendable func next(_ result: Result<Void, BrokerError>) {
            switch result {
            case .success: registerTargets(groups.dropFirst(), registered + group, errors, then)
            case .failure(let error):
                registerTargets(
                    groups.dropFirst(), registered, errors + [(error, group.count)], then)
            }
        }
        do throws(KindCollision) {
            let (isNew, missing) = try target.unregistered(
                CollectionOfOne(first.kind), generation: client.generation, asProducer: true)
            if !isNew && missing.isEmpty { return next(.success(())) }
            register(missing, isNew, in: target, then: next)
        } catch {
            // The name is refused by the store, with the sentence for the reader.
            register([first.kind], false, in: target, then: next)
        }
    }

    private func deliver(
        _ freight: [Freight], _ what: String,
        _ report: @escaping @Sendable (BrokerError, Int) -> Void,
        _ then: @escaping @Sendable (Set<Int>) -> Void
    ) {
        if freight.isEmpty { return then([]) }
        var groups: [[Freight]] = []
        for item in freight {
            let list = item.token.entry.priority
            if let last = groups.lastIndex(where: {
                $0[0].target == item.target && $0[0].kind == item.kind
                    && $0[0].token.entry.priority == list
            }) {
                groups[last].append(item)
            } else {
                groups.append([item])
            }
        }
        submit(groups.map(arrival)) { [self, groups] result in
            var busy: Set<Int> = []
            switch result {
            case .failure(let error):
                // Maybe they have arrived: then the next attempt finds them there.
                report(failure.error(error, what), freight.count)
                busy.formUnion(freight.map(\.place))
            case .success(let replies):
                for (group, reply) in zip(groups, replies) {
                    if case .error(let text) = reply {
                        report(failure.error(RedisError(reply: text), what), group.count)
                        busy.formUnion(group.map(\.place))
                        continue
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
            }
            then(busy)
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
