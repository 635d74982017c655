// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

/// Keyed streams, over gRPC: checks who calls, reads what was sent, passes it on.
///
/// What an operator does and an inspector sees stands in `StreamsService+Look.swift`.
struct StreamsService: Godwit_V1_Streams.ServiceProtocol {
    let broker: any Broker
    let limits: DoorLimits
    let closing: Closing

    /// The store as one that keeps streams.
    func streams() throws -> any StreamBroker {
        if let streams = broker as? any StreamBroker { return streams }
        throw RPCError(
            code: .unimplemented,
            message: "the store behind this server keeps no streams; use memory, SQLite or Redis")
    }

    // MARK: append

    func append(
        request: ServerRequest<Godwit_V1_AppendRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_AppendResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.produce, on: wire.stream)
        try limits.check(entries: wire.points.count, of: "append to '\(stream)'")
        let streams = try streams()
        var last = PointID(broker.time.now() + broker.clockOffset)
        let points = wire.points.map { point in
            NewPoint(point) {
                defer { last = last.next }
                return last
            }
        }
        let options = AppendOptions(
            acceptsLate: !wire.refusesLate,
            maxPending: wire.maxPending == 0 ? 100_000 : Int(wire: wire.maxPending),
            isRedrive: wire.isRedrive)
        var response = Godwit_V1_AppendResponse()
        response.outcomes = try await answering {
            try await streams.append(points, to: stream, options: options).map(\.wire)
        }
        return ServerResponse(message: response)
    }

    // MARK: work

    func reserveLanes(
        request: ServerRequest<Godwit_V1_ReserveLanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_ReserveLanesResponse> {
        let (caller, stream) = try Caller.allowed(.work, on: request.message.stream)
        let streams = try streams()
        let reservation = try await answering {
            try await streams.reserveLanes(LaneRequest(request.message), from: stream)
        }
        return ServerResponse(message: reservation.wire(mask: caller.mask, in: stream))
    }

    func memories(
        request: ServerRequest<Godwit_V1_MemoriesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_MemoriesResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.work, on: wire.stream)
        let streams = try streams()
        var response = Godwit_V1_MemoriesResponse()
        response.memories = try await answering {
            guard wire.keys.count <= StreamLimits.lanes else {
                throw WireError(
                    "read memories in '\(stream)'", "it names \(wire.keys.count) keys",
                    "Ask for at most \(StreamLimits.lanes) in one call.")
            }
            return try await streams.memories(
                of: wire.keys, window: Int(wire.window), in: stream
            ).map(\.wire)
        }
        return ServerResponse(message: response)
    }

    func settleLanes(
        request: ServerRequest<Godwit_V1_SettleLanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        let wire = request.message
        let (caller, stream) = try Caller.allowed(.work, on: wire.stream)
        try limits.check(entries: wire.settlements.count, of: "settle in '\(stream)'")
        let streams = try streams()
        var response = Godwit_V1_OutcomesResponse()
        response.outcomes = try await answering {
            let batch = try settlements(wire.settlements, caller, stream)
            return try await streams.settleLanes(batch, in: stream).map(\.wire)
        }
        return ServerResponse(message: response)
    }

    func settleThenReserveLanes(
        request: ServerRequest<Godwit_V1_SettleThenReserveLanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_SettleThenReserveLanesResponse> {
        let wire = request.message
        let (caller, stream) = try Caller.allowed(.work, on: wire.reserve.stream)
        try limits.check(entries: wire.settlements.count, of: "settle in '\(stream)'")
        let streams = try streams()
        var response = Godwit_V1_SettleThenReserveLanesResponse()
        try await answering {
            let batch = try settlements(wire.settlements, caller, stream)
            let result = await streams.settleLanes(
                batch, thenReserve: LaneRequest(wire.reserve), from: stream)
            switch result.settled {
            case .success(let outcomes): response.outcomes = outcomes.map(\.wire)
            case .failure(let error): response.settleFailure = Godwit_V1_Failure(error)
            }
            switch result.reserved {
            case .success(let reservation):
                response.reserved = reservation.wire(mask: caller.mask, in: stream)
            case .failure(let error): response.reserveFailure = Godwit_V1_Failure(error)
            }
        }
        return ServerResponse(message: response)
    }

    func renewLanes(
        request: ServerRequest<Godwit_V1_RenewLanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        let wire = request.message
        let (caller, stream) = try Caller.allowed(.work, on: wire.stream)
        try limits.check(entries: wire.tokens.count, of: "renew in '\(stream)'")
        let streams = try streams()
        let tokens = wire.tokens.map { caller.mask.known(LaneToken($0), in: stream) }
        var response = Godwit_V1_OutcomesResponse()
        response.outcomes = try await answering {
            let lease = Duration(wireLease: wire.leaseMs).boundedLease
            return try await withCheckedContinuation { continuation in
                streams.renewLanes(tokens, for: lease, in: stream) {
                    continuation.resume(returning: $0)
                }
            }.get().map(\.wire)
        }
        return ServerResponse(message: response)
    }

    func reclaimLanes(
        request: ServerRequest<Godwit_V1_ReclaimRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_CountResponse> {
        let (_, stream) = try Caller.allowed(.work, on: request.message.queue)
        let streams = try streams()
        return try await count {
            try await streams.reclaimLanes(Int(request.message.limit), in: stream)
        }
    }

    func expireLanes(
        request: ServerRequest<Godwit_V1_ExpireLanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_CountResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.work, on: wire.stream)
        let streams = try streams()
        return try await count {
            try await streams.expireLanes(
                idleFor: Duration(wire: max(0, wire.idleMs)), limit: Int(wire.limit), in: stream)
        }
    }

    func waitForLanes(
        request: ServerRequest<Godwit_V1_WaitRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_WaitResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.work, on: wire.queue)
        let streams = try streams()
        let time = min(Duration(wire: wire.timeoutMs), WireLimits.wait)
        try await whileConnected(context) { await streams.waitForLanes(in: stream, upTo: time) }
        return ServerResponse(message: Godwit_V1_WaitResponse())
    }

    // MARK: what is shared

    func newMessageID() -> MessageID { MessageID(at: broker.time.now() + broker.clockOffset) }

    /// An emission is an enqueue: who may not produce there may not emit there.
    func settlements(
        _ wires: [Godwit_V1_LaneSettlement], _ caller: Caller, _ stream: QueueName
    ) throws -> [LaneSettlement] {
        try wires.map { wire in
            for emission in wire.emissions { try Self.check(emission, caller) }
            return try LaneSettlement(
                wire, token: caller.mask.known(LaneToken(wire.token), in: stream),
                makeID: newMessageID)
        }
    }

    static func check(_ emission: Godwit_V1_Emission, _ caller: Caller) throws {
        guard let target = try? QueueName(emission.queue), caller.may(.produce, target) else {
            throw Caller.denial
        }
    }
}
