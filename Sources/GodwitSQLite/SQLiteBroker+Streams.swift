// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// The words of a stream's lanes. What each promises stands at ``StreamBroker``.
extension SQLiteBroker: StreamBroker {
    public var streamOperator: any StreamOperator { self }
    public var streamInspector: any StreamInspector { self }

    public func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome] {
        try validation.check(points, for: stream)
        var outcomes: [AppendOutcome] = []
        var rest = points[...]
        repeat {
            let part = rest.prefix(partLength(rest) { $0.key.utf8.count + $0.body.count })
            rest = rest.dropFirst(part.count)
            let answer = try await run("append to '\(stream)'") { (store) throws(StoreFault) in
                try store.append(part, to: stream, options)
            }
            if rest.isEmpty && outcomes.isEmpty { return answer }
            outcomes += answer
        } while !rest.isEmpty
        return outcomes
    }

    public func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation {
        try validation.check(request, from: stream)
        return try await run("reserve from '\(stream)'") { (store) throws(StoreFault) in
            try store.reserveLanes(request, from: stream)
        }
    }

    /// Read beside the writer: what its answers said before the call is what the file says.
    public func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory] {
        try validation.check(window: window, for: "load windows of '\(stream)'")
        return try await reader.read("load windows of '\(stream)'") { db in
            try db.memories(of: keys, window: window, in: stream)
        }
    }

    public func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: stream)
        var parts: [[LaneSettlement]] = []
        var rest = settlements[...]
        while !rest.isEmpty {
            parts.append(Array(rest.prefix(partLength(rest) { $0.bytes })))
            rest = rest.dropFirst(parts.last?.count ?? 0)
        }
        var answers = [[SettleOutcome]](repeating: [], count: parts.count)
        // Why from the end: what a later step releases stands before what an earlier one did.
        let releases = settlements.contains { $0.end == .release }
        for index in releases ? Array(parts.indices.reversed()) : Array(parts.indices) {
            let part = parts[index]
            answers[index] = try await run("commit in '\(stream)'") { (store) throws(StoreFault) in
                try store.settleLanes(part, in: stream)
            }
        }
        return answers.flatMap(\.self)
    }

    /// Both halves are parts of one commit of the store.
    public func settleLanes(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved {
        do throws(BrokerError) {
            try validation.check(settlements, in: stream)
            try validation.check(request, from: stream)
            if partLength(settlements[...], { $0.bytes }) < settlements.count {
                let settled = try await settleLanes(settlements, in: stream)
                var rest = await settleLanes([], thenReserve: request, from: stream)
                rest.settled = .success(settled)
                return rest
            }
            return try await run("commit and reserve in '\(stream)'") {
                (store) throws(StoreFault) in
                let settled =
                    settlements.isEmpty ? [] : try store.settleLanes(settlements, in: stream)
                return LanesSettledAndReserved(
                    settled: .success(settled),
                    reserved: .success(try store.reserveLanes(request, from: stream)))
            }
        } catch {
            return LanesSettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
    }

    public func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        do throws(BrokerError) {
            try validation.check(lease: lease, for: "renew in '\(stream)'")
        } catch {
            return then(.failure(error))
        }
        submit(
            "renew in '\(stream)'",
            { (store) throws(StoreFault) in
                try store.renewLanes(tokens, for: lease, in: stream)
            }, then: then)
    }

    @discardableResult
    public func reclaimLanes(_ limit: Int, in stream: QueueName) async throws(BrokerError) -> Int {
        try await run("reclaim in '\(stream)'") { (store) throws(StoreFault) in
            try store.reclaimLanes(limit, in: stream)
        }
    }

    @discardableResult
    public func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        try await run("drop idle keys of '\(stream)'") { (store) throws(StoreFault) in
            try store.expireLanes(idleFor: idle, limit, in: stream)
        }
    }

    public func waitForLanes(in stream: QueueName, upTo timeout: Duration) async {
        await waiters.wait(for: nil, in: .stream(stream), upTo: timeout)
    }

    /// How many items make one step of the store, by their count and bytes (I10).
    private func partLength<Item>(_ items: ArraySlice<Item>, _ size: (Item) -> Int) -> Int {
        var bytes = 0
        var count = 0
        for item in items.prefix(limits.batch) {
            bytes += size(item)
            if count > 0, bytes > limits.batchBytes { break }
            count += 1
        }
        return count
    }
}

extension LaneSettlement {
    /// About what it carries.
    fileprivate var bytes: Int {
        emissions.reduce(state?.count ?? 0) { $0 + $1.message.body.count }
    }
}
