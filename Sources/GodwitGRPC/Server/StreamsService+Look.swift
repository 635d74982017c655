// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

extension StreamsService {
    // MARK: operate

    func redriveLane(
        request: ServerRequest<Godwit_V1_LaneRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_MovedResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.operate, on: wire.stream)
        let streams = try streams()
        return try await moved {
            try await streams.streamOperator.redriveLane(wire.key, in: stream)
        }
    }

    func skipPoint(
        request: ServerRequest<Godwit_V1_SkipPointRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_MovedResponse> {
        let wire = request.message
        let (caller, stream) = try Caller.allowed(.operate, on: wire.stream)
        // Why not asked for the stream's own: its dead letter is part of the move.
        if wire.emission.queue != stream.text || !wire.emission.hasDeadReason {
            try Self.check(wire.emission, caller)
        }
        let streams = try streams()
        return try await moved {
            let emission = try Emission(wire.emission, makeID: newMessageID)
            return try await streams.streamOperator.skipPoint(
                of: wire.key, at: wire.position, emission, in: stream)
        }
    }

    func replayLane(
        request: ServerRequest<Godwit_V1_LaneRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_MovedResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.operate, on: wire.stream)
        let streams = try streams()
        return try await moved {
            try await streams.streamOperator.replayLane(
                wire.key, window: Int(wire.window), in: stream)
        }
    }

    func forgetLane(
        request: ServerRequest<Godwit_V1_LaneRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_MovedResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.operate, on: wire.stream)
        let streams = try streams()
        return try await moved {
            try await streams.streamOperator.forgetLane(wire.key, in: stream)
        }
    }

    private func moved(
        _ body: () async throws -> Bool
    ) async throws -> ServerResponse<Godwit_V1_MovedResponse> {
        var response = Godwit_V1_MovedResponse()
        response.moved = try await answering(body)
        return ServerResponse(message: response)
    }

    // MARK: inspect

    /// Only the streams that the caller may inspect.
    func listStreams(
        request: ServerRequest<Godwit_V1_ListStreamsRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_ListStreamsResponse> {
        guard let caller = Caller.current else { throw Caller.denial }
        let streams = try streams()
        var response = Godwit_V1_ListStreamsResponse()
        response.streams = try await answering {
            try await streams.streamInspector.streams()
                .filter { caller.may(.inspect, $0) }.map(\.text)
        }
        return ServerResponse(message: response)
    }

    func streamCounts(
        request: ServerRequest<Godwit_V1_StreamRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_StreamCountsResponse> {
        let (_, stream) = try Caller.allowed(.inspect, on: request.message.stream)
        let streams = try streams()
        return ServerResponse(
            message: try await answering {
                try await streams.streamInspector.counts(ofStream: stream).wire
            })
    }

    func lanes(
        request: ServerRequest<Godwit_V1_LanesRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_LanesResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.inspect, on: wire.stream)
        let streams = try streams()
        let limit = min(Int(wire.limit), WireLimits.entries)
        var response = Godwit_V1_LanesResponse()
        response.lanes = try await answering {
            try await streams.streamInspector.lanes(
                of: stream, by: wire.order == .activity ? .activity : .lag, limit: limit
            ).map(\.wire)
        }
        return ServerResponse(message: response)
    }

    func lane(
        request: ServerRequest<Godwit_V1_LaneRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_LaneResponse> {
        let wire = request.message
        let (_, stream) = try Caller.allowed(.inspect, on: wire.stream)
        let streams = try streams()
        var response = Godwit_V1_LaneResponse()
        try await answering {
            let record = try await streams.streamInspector.lane(
                wire.key, window: Int(wire.window), in: stream)
            if let record { response.lane = record.wire }
        }
        return ServerResponse(message: response)
    }

    func droppedKeys(
        request: ServerRequest<Godwit_V1_StreamRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_DroppedKeysResponse> {
        let (_, stream) = try Caller.allowed(.inspect, on: request.message.stream)
        let streams = try streams()
        var response = Godwit_V1_DroppedKeysResponse()
        response.keys = try await answering {
            try await streams.streamInspector.droppedKeys(of: stream).map(\.wire)
        }
        return ServerResponse(message: response)
    }
}
