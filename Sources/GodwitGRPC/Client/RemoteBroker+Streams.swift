// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix

extension RemoteBroker: StreamBroker {
    /// The most memories of one call: each may weigh a quarter of a megabyte.
    private static let memoriesPerCall = 8

    var lanesOfStreams: Godwit_V1_Streams.Client<HTTP2ClientTransport.Posix> {
        Godwit_V1_Streams.Client(wrapping: courier.client)
    }

    public var streamOperator: any StreamOperator { self }
    public var streamInspector: any StreamInspector { self }

    public func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome] {
        try validation.check(points, for: stream)
        let size = { (point: NewPoint) in point.key.utf8.count + point.body.count + 24 }
        return try await inParts(points, size: size) { part throws(BrokerError) in
            var wire = Godwit_V1_AppendRequest()
            wire.stream = stream.text
            wire.points = part.map(\.wire)
            wire.refusesLate = !options.acceptsLate
            // Why at least one: zero is the default on the wire.
            wire.maxPending = UInt64(clamping: max(1, options.maxPending))
            wire.isRedrive = options.isRedrive
            let what = "append \(part.count) points to '\(stream)'"
            let response = try await courier.call(what, wire) { [lanesOfStreams] in
                try await lanesOfStreams.append(request: $0, options: $1)
            }
            return try understood(
                response.outcomes.map { AppendOutcome($0) }, of: part.count, what)
        }
    }

    public func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation {
        try validation.check(request, from: stream)
        let response = try await courier.call(
            "reserve from '\(stream)'", request.wire(from: stream)
        ) { [lanesOfStreams] in try await lanesOfStreams.reserveLanes(request: $0, options: $1) }
        return LaneReservation(response)
    }

    public func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory] {
        try validation.check(window: window, for: "read memories in '\(stream)'")
        var memories: [LaneMemory] = []
        for start in stride(from: 0, to: keys.count, by: Self.memoriesPerCall) {
            var wire = Godwit_V1_MemoriesRequest()
            wire.stream = stream.text
            wire.keys = Array(keys[start..<min(keys.count, start + Self.memoriesPerCall)])
            wire.window = UInt32(clamping: window)
            let what = "read memories in '\(stream)'"
            let response = try await courier.call(what, isRead: true, wire) { [lanesOfStreams] in
                try await lanesOfStreams.memories(request: $0, options: $1)
            }
            memories += try understood(
                response.memories.map { LaneMemory($0) }, of: wire.keys.count, what)
        }
        return memories
    }

    public func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: stream)
        return try await inParts(settlements, size: \.wireSize) { part throws(BrokerError) in
            var wire = Godwit_V1_SettleLanesRequest()
            wire.stream = stream.text
            wire.settlements = part.map(\.wire)
            let what = "settle \(part.count) lanes in '\(stream)'"
            let response = try await courier.call(what, wire) { [lanesOfStreams] in
                try await lanesOfStreams.settleLanes(request: $0, options: $1)
            }
            return try understood(response, of: part.count, what)
        }
    }

    public func settleLanes(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved {
        let what = "settle \(settlements.count) lanes in '\(stream)' and reserve"
        let size = settlements.reduce(0) { $0 + $1.wireSize }
        do throws(BrokerError) {
            try validation.check(settlements, in: stream)
            try validation.check(request, from: stream)
            guard !settlements.isEmpty, size <= WireLimits.sentBytes else {
                return await settleLanesInTurn(settlements, thenReserve: request, from: stream)
            }
        } catch {
            return await settleLanesInTurn(settlements, thenReserve: request, from: stream)
        }
        do throws(BrokerError) {
            var wire = Godwit_V1_SettleThenReserveLanesRequest()
            wire.settlements = settlements.map(\.wire)
            wire.reserve = request.wire(from: stream)
            let response = try await courier.call(what, wire) { [lanesOfStreams] in
                try await lanesOfStreams.settleThenReserveLanes(request: $0, options: $1)
            }
            return LanesSettledAndReserved(
                settled: settled(
                    response.outcomes, response.hasSettleFailure ? response.settleFailure : nil,
                    of: settlements.count, what),
                reserved: response.hasReserveFailure
                    ? .failure(response.reserveFailure.brokerError)
                    : .success(LaneReservation(response.reserved)))
        } catch {
            return LanesSettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
    }

    public func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let what = "renew \(tokens.count) leases in '\(stream)'"
        do throws(BrokerError) {
            try validation.check(lease: lease, for: what)
        } catch {
            return then(.failure(error))
        }
        if isShutDown { return then(.failure(courier.closed(what))) }
        if tokens.isEmpty { return then(.success([])) }
        courier.detach { [self] in
            do throws(BrokerError) {
                let size = { (token: LaneToken) in token.key.utf8.count + 16 }
                let outcomes = try await inParts(tokens, size: size) { part throws(BrokerError) in
                    var wire = Godwit_V1_RenewLanesRequest()
                    wire.stream = stream.text
                    wire.tokens = part.map(\.wire)
                    wire.leaseMs = lease.wire
                    let response = try await courier.call(what, wire) { [lanesOfStreams] in
                        try await lanesOfStreams.renewLanes(request: $0, options: $1)
                    }
                    return try understood(response, of: part.count, what)
                }
                then(.success(outcomes))
            } catch {
                then(.failure(error))
            }
        }
    }

    @discardableResult
    public func reclaimLanes(
        _ limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        var wire = Godwit_V1_ReclaimRequest()
        wire.queue = stream.text
        wire.limit = UInt32(clamping: limit)
        return Int(
            wire: try await courier.call("reclaim in '\(stream)'", wire) { [lanesOfStreams] in
                try await lanesOfStreams.reclaimLanes(request: $0, options: $1)
            }.count)
    }

    @discardableResult
    public func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        var wire = Godwit_V1_ExpireLanesRequest()
        wire.stream = stream.text
        wire.idleMs = idle.wire
        wire.limit = UInt32(clamping: limit)
        return Int(
            wire: try await courier.call("expire keys of '\(stream)'", wire) { [lanesOfStreams] in
                try await lanesOfStreams.expireLanes(request: $0, options: $1)
            }.count)
    }

    /// As ``wait(for:in:upTo:)``: in calls of at most a minute.
    public func waitForLanes(in stream: QueueName, upTo timeout: Duration) async {
        guard timeout > .zero else { return }
        let length = min(timeout, WireLimits.wait)
        var wire = Godwit_V1_WaitRequest()
        wire.queue = stream.text
        wire.timeoutMs = max(1, length.wire)
        let request = wire
        await courier.waiting { [self] in
            do throws(BrokerError) {
                _ = try await courier.call(
                    "wait for lanes of '\(stream)'", isRead: true,
                    timeout: time.isVirtual ? nil : length + .seconds(10), request
                ) { [lanesOfStreams] in
                    try await lanesOfStreams.waitForLanes(request: $0, options: $1)
                }
            } catch {
                // Why: without it a worker would turn without rest while the server is away.
                await SystemTime().sleep(for: min(length, .milliseconds(250)))
            }
        }
    }
}
