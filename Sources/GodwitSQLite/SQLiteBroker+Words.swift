// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging

/// The words of a message's life. What each promises stands at ``Broker``.
extension SQLiteBroker {
    public func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try validation.check(messages, for: queue, at: time.now())
        let first = messages.prefix(partLength(messages[...]))
        var rest = messages.dropFirst(first.count)
        // Why: a kind that is refused is refused before anything was accepted.
        let kinds = Set(rest.lazy.map(\.kind))
        var outcomes = try await run("enqueue to '\(queue)'") { (store) throws(StoreFault) in
            try store.register(kinds, in: queue)
            return try store.enqueue(first, to: queue)
        }
        while !rest.isEmpty {
            let part = rest.prefix(partLength(rest))
            rest = rest.dropFirst(part.count)
            do throws(BrokerError) {
                outcomes += try await run("enqueue to '\(queue)'") { (store) throws(StoreFault) in
                    try store.enqueue(part, to: queue)
                }
            } catch {
                throw error.asUnknown
            }
        }
        return outcomes
    }

    /// How many messages make one step of the store, by their count and bytes (I10).
    private func partLength(_ messages: ArraySlice<NewMessage>) -> Int {
        var bytes = 0
        var count = 0
        for message in messages.prefix(limits.batch) {
            bytes += message.body.count
            if count > 0, bytes > limits.batchBytes { break }
            count += 1
        }
        return count
    }

    public func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try validation.check(request, from: queue)
        let request = bounded(request)
        return try await run("reserve from '\(queue)'") { (store) throws(StoreFault) in
            try store.reserve(request, from: queue)
        }
    }

    private func bounded(_ request: ReserveRequest) -> ReserveRequest {
        var request = request
        request.count = min(request.count, limits.batch)
        return request
    }

    public func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: queue)
        // Why from the end: what a later step releases stands before what an earlier one did.
        return try await inParts(settlements, fromTheEnd: true, "settle in '\(queue)'") {
            (store, part) throws(StoreFault) in
            try store.settle(part, in: queue)
        }
    }

    /// Both halves are parts of one commit, unless one of them is refused or too long for it.
    public func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        do throws(BrokerError) {
            try validation.check(request, from: queue)
            try validation.check(settlements, in: queue)
        } catch {
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        if settlements.count > limits.batch {
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        do throws(BrokerError) {
            let request = bounded(request)
            return try await run("settle and reserve in '\(queue)'") {
                (store) throws(StoreFault) in
                let settled = settlements.isEmpty ? [] : try store.settle(settlements, in: queue)
                return SettledAndReserved(
                    settled: .success(settled),
                    reserved: .success(try store.reserve(request, from: queue)))
            }
        } catch {
            return SettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
    }

    public func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        let logger = Logger.current
        do throws(BrokerError) {
            try validation.check(settlements, in: queue)
        } catch {
            logger.warning("messages were not settled: \(error)")
            return
        }
        var rest = settlements[...]
        while !rest.isEmpty {
            let part = Array(rest.suffix(limits.batch))
            rest = rest.dropLast(part.count)
            submit("settle in '\(queue)'") { (store) throws(StoreFault) in
                try store.settle(part, in: queue)
            } then: { result in
                guard case .failure(let error) = result else { return }
                logger.warning(
                    "messages were not settled; they run again when their leases have run out",
                    metadata: [
                        "queue": "\(queue)", "messages": "\(part.count)", "error": "\(error)",
                    ])
            }
        }
    }

    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        do throws(BrokerError) {
            try validation.check(lease: lease, for: "renew in '\(queue)'")
        } catch {
            return then(.failure(error))
        }
        submit(
            "renew in '\(queue)'",
            { (store) throws(StoreFault) in try store.renew(tokens, for: lease, in: queue) },
            then: then)
    }

    public func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(checkpoints, in: queue)
        return try await inParts(checkpoints, "checkpoint in '\(queue)'") {
            (store, part) throws(StoreFault) in
            try store.checkpoint(part, in: queue)
        }
    }

    @discardableResult
    public func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await run("promote in '\(queue)'") { (store) throws(StoreFault) in
            try store.promote(in: queue)
        }
    }

    @discardableResult
    public func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        try await run("reclaim in '\(queue)'") { (store) throws(StoreFault) in
            try store.reclaim(limit, in: queue)
        }
    }

    @discardableResult
    public func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await run("prune '\(queue)'") { (store) throws(StoreFault) in
            try store.prune(limit, in: queue)
        }
    }

    // MARK: Parts

    var validation: Validation { Validation(limits, location: "the SQLite file '\(path)'") }

    /// Runs `step` on the items, at most a batch of them in one transaction.
    func inParts<Item: Sendable, Answer: Sendable>(
        _ items: [Item], fromTheEnd: Bool = false,
        _ what: @autoclosure @escaping @Sendable () -> String,
        _ step: @escaping @Sendable (Store, [Item]) throws(StoreFault) -> [Answer]
    ) async throws(BrokerError) -> [Answer] {
        if items.count <= limits.batch {
            return try await run(what()) { (store) throws(StoreFault) in try step(store, items) }
        }
        let starts = Array(stride(from: 0, to: items.count, by: limits.batch))
        var answers = [[Answer]](repeating: [], count: starts.count)
        for index in fromTheEnd ? Array(starts.indices.reversed()) : Array(starts.indices) {
            let part = Array(items[starts[index]...].prefix(limits.batch))
            answers[index] = try await run(what()) { (store) throws(StoreFault) in
                try step(store, part)
            }
        }
        return answers.flatMap(\.self)
    }
}
