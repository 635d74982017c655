// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient
import Synchronization

extension RedisBroker {
    private static let mostKinds = 256

    /// Writes a queue and its kinds into the store where this process has not done so; one trip for
    /// new ones, none afterwards.
    ///
    /// - Throws: `invalid` for a kind whose hash another name of the queue has.
    func register(
        _ kinds: some Sequence<Kind>, in queue: RedisQueue, asProducer: Bool
    ) async throws(BrokerError) {
        let isNew: Bool
        let missing: [Kind]
        do throws(KindCollision) {
            (isNew, missing) = try queue.unregistered(
                kinds, generation: client.generation, asProducer: asProducer)
        } catch {
            throw collision(error, queue)
        }
        if !isNew && missing.isEmpty { return }
        if !asProducer { return try await registerForConsumer(missing, in: queue) }
        let result = await withUnsafeContinuation { continuation in
            register(missing, isNew, in: queue) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// Writes only what is not there, and does without where the server is out of memory: it must be
    /// possible to drain a full server, also after a restart. The next call makes up for it.
    private func registerForConsumer(
        _ missing: [Kind], in queue: RedisQueue
    ) async throws(BrokerError) {
        let what = "register kinds of '\(queue.name)'"
        let fields = missing.map { KeySpace.field(of: $0.hash) }
        let read = RedisCommand(["HMGET", queue.keys.key("k")] + fields)
        let names = try await value(of: read, what).elements ?? []
        guard names.count == missing.count else { throw failure.unreadable(what) }
        var absent: [Kind] = []
        var present: [Kind] = []
        for (kind, name) in zip(missing, names) {
            guard let name = name.string else {
                absent.append(kind)
                continue
            }
            if name != kind.name {
                throw collision(KindCollision(asked: kind.name, known: name), queue)
            }
            present.append(kind)
        }
        queue.add(present)
        if absent.isEmpty { return }
        let result = await withUnsafeContinuation { continuation in
            register(absent, false, in: queue) { continuation.resume(returning: $0) }
        }
        do throws(BrokerError) {
            try result.get()
        } catch {
            guard case .storageFull = error else { throw error }
        }
    }

    /// The same for one who can't wait.
    func register(
        _ missing: [Kind], _ isNew: Bool, in queue: RedisQueue,
        then: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        let what = "register kinds of '\(queue.name)'"
        let hash = queue.keys.key("k")
        var commands: [RedisCommand] = []
        if isNew {
            commands.append(
                RedisCommand(["HSET", queue.keys.registry, queue.name.text, KeySpace.registered]))
        }
        if !missing.isEmpty { commands.append(RedisCommand(["HLEN", hash])) }
        for kind in missing {
            let field = KeySpace.field(of: kind.hash)
            commands.append(RedisCommand(["HSETNX", hash, field, kind.name]))
            commands.append(RedisCommand(["HGET", hash, field]))
        }
        if !missing.isEmpty {
            // Wakes who waits for any kind and did not know of this one.
            commands.append(RedisCommand(["ZADD", queue.keys.marker(of: nil), "0", "0"]))
        }
        submit(commands) { [self] result in
            then(
                Result { () throws(BrokerError) in
                    let replies: [RESPValue]
                    switch result {
                    case .success(let values): replies = values
                    case .failure(let error): throw failure.error(error, what)
                    }
                    for case .error(let text) in replies {
                        throw failure.error(RedisError(reply: text), what)
                    }
                    try checkKinds(missing, replies.dropFirst(isNew ? 1 : 0), in: queue)
                    if isNew { queue.state.withLock { $0.isRegistered = true } }
                    queue.add(missing)
                })
        }
    }

    private func checkKinds(
        _ missing: [Kind], _ replies: ArraySlice<RESPValue>, in queue: RedisQueue
    ) throws(BrokerError) {
        var replies = replies
        guard !missing.isEmpty, let count = replies.popFirst()?.int else { return }
        var added = count
        for kind in missing {
            let isFirst = replies.popFirst()?.int == 1
            let name = replies.popFirst()?.string ?? ""
            if name != kind.name {
                throw collision(KindCollision(asked: kind.name, known: name), queue)
            }
            if isFirst { added += 1 }
            if isFirst && added > Self.mostKinds {
                submit([
                    RedisCommand(["HDEL", queue.keys.key("k"), KeySpace.field(of: kind.hash)])
                ]) { _ in }
                throw .invalid(
                    BrokerError.Problem(
                        what: "enqueue '\(kind)' to '\(queue.name)'", location: failure.location,
                        cause: "the queue holds \(Self.mostKinds) kinds already",
                        advice:
                            "Use another queue; a kind is a type of job, not a part of its data."))
            }
        }
    }

    private func collision(_ collision: KindCollision, _ queue: RedisQueue) -> BrokerError {
        .invalid(
            BrokerError.Problem(
                what: "use the kind '\(collision.asked)' in '\(queue.name)'",
                location: failure.location,
                cause: "the kind '\(collision.known)' of this queue has the same CRC-32",
                advice: "Rename one of the two, or give it a queue of its own."))
    }

    /// The kinds of a queue as they stand in the store; kept for those who take any.
    func readKinds(_ reply: RESPValue, of queue: RedisQueue) -> (kinds: [UInt32], changed: Bool) {
        let kinds = (reply.elements ?? []).compactMap { $0.bytes.flatMap(KeySpace.kind(ofField:)) }
            .sorted()
        return queue.state.withLock { state in
            state.readKindsAt = .now
            let changed = state.allKinds.sorted() != kinds
            state.allKinds = kinds
            return (kinds, changed)
        }
    }
}
