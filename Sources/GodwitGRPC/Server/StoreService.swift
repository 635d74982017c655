// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

/// What a Godwit process needs of a store beside the words, over gRPC.
///
/// The notes stand in `StoreService+Notes.swift`.
struct StoreService: Godwit_V1_Store.SimpleServiceProtocol {
    /// Of the interface; a client of another one is refused.
    static let version: UInt32 = 1

    let broker: any Broker

    func hello(
        request: Godwit_V1_HelloRequest, context: ServerContext
    ) async throws -> Godwit_V1_HelloResponse {
        _ = try Caller.known()
        guard request.version == Self.version else {
            throw WireError(
                "greet a client", "it speaks version \(request.version) of this interface",
                "This server speaks version \(Self.version): use a client of its age."
            ).brokerError.rpcError
        }
        var response = Godwit_V1_HelloResponse()
        response.version = Self.version
        response.nowMs = (broker.time.now() + broker.clockOffset).wire
        response.messageBytes = UInt64(clamping: broker.limits.messageBytes)
        response.batch = UInt64(clamping: broker.limits.batch)
        response.batchBytes = UInt64(clamping: broker.limits.batchBytes)
        response.hasStreams_p = broker is any StreamBroker
        response.requestBytes = UInt64(WireLimits.requestBytes)
        return response
    }

    func diagnose(
        request: Godwit_V1_DiagnoseRequest, context: ServerContext
    ) async throws -> Godwit_V1_DiagnoseResponse {
        _ = try Caller.allowed(.inspect, on: nil)
        var response = Godwit_V1_DiagnoseResponse()
        let findings = await (broker as? any Diagnosable)?.diagnose() ?? []
        response.findings = findings.map(\.wire)
        return response
    }

    // MARK: events

    func events(
        request: Godwit_V1_EventsRequest, context: ServerContext
    ) async throws -> Godwit_V1_EventsResponse {
        let (caller, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering {
            let limit = min(Int(request.limit), WireLimits.page)
            var response = Godwit_V1_EventsResponse()
            var place = request.after.isEmpty ? nil : EventPosition(request.after)
            var bytes = 0
            while response.batches.count < limit, bytes < WireLimits.pageBytes {
                let asked = min(limit - response.batches.count, WireLimits.eventsPart)
                let batches = try await broker.eventLog.events(
                    in: queue, after: place, limit: asked)
                response.batches += batches.map { $0.wire(caller.mask) }
                bytes += batches.reduce(0) { $0 + $1.wireSize }
                guard let last = batches.last, batches.count >= asked else { break }
                place = last.position
            }
            return response
        }
    }

    func markArchived(
        request: Godwit_V1_MarkArchivedRequest, context: ServerContext
    ) async throws -> Godwit_V1_MarkArchivedResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        try await answering {
            try await broker.eventLog.markArchived(
                through: EventPosition(request.through), in: queue)
        }
        return Godwit_V1_MarkArchivedResponse()
    }

    func backlog(
        request: Godwit_V1_BacklogRequest, context: ServerContext
    ) async throws -> Godwit_V1_BacklogResponse {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering { try await broker.eventLog.backlog(of: queue).wire }
    }
}
