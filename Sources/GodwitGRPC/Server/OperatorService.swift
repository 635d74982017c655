// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

/// An operator's moves, over gRPC: checks who calls, reads what was sent, passes it on.
struct OperatorService: Godwit_V1_Operator.SimpleServiceProtocol {
    let broker: any Broker
    let limits: DoorLimits

    func redrive(
        request: Godwit_V1_IDsRequest, context: ServerContext
    ) async throws -> Godwit_V1_RedriveResponse {
        let queue = try allowed(request, "redrive")
        return try await answering {
            var response = Godwit_V1_RedriveResponse()
            let ids = try request.ids.map { try MessageID(wire: $0) }
            response.outcomes = try await broker.operator.redrive(ids, in: queue).map(\.wire)
            return response
        }
    }

    func cancel(
        request: Godwit_V1_IDsRequest, context: ServerContext
    ) async throws -> Godwit_V1_FlagsResponse {
        let queue = try allowed(request, "cancel")
        return try await flags(request) { try await broker.operator.cancel($0, in: queue) }
    }

    func promoteNow(
        request: Godwit_V1_IDsRequest, context: ServerContext
    ) async throws -> Godwit_V1_FlagsResponse {
        let queue = try allowed(request, "promote")
        return try await flags(request) { try await broker.operator.promote($0, in: queue) }
    }

    func pause(
        request: Godwit_V1_QueueRequest, context: ServerContext
    ) async throws -> Godwit_V1_DoneResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        try await answering { try await broker.operator.pause(queue) }
        return Godwit_V1_DoneResponse()
    }

    func resume(
        request: Godwit_V1_QueueRequest, context: ServerContext
    ) async throws -> Godwit_V1_DoneResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        try await answering { try await broker.operator.resume(queue) }
        return Godwit_V1_DoneResponse()
    }

    func purge(
        request: Godwit_V1_PurgeRequest, context: ServerContext
    ) async throws -> Godwit_V1_CountResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        // Why refused and not cut: fewer than the limit means that nothing is left.
        try limits.check(entries: Int(request.limit), of: "purge '\(queue)'")
        var response = Godwit_V1_CountResponse()
        response.count = UInt64(
            clamping: try await answering {
                try await broker.operator.purge(queue, limit: Int(request.limit))
            })
        return response
    }

    func apply(
        request: Godwit_V1_ApplyRequest, context: ServerContext
    ) async throws -> Godwit_V1_DoneResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        try await answering {
            guard request.hasSettings else {
                throw WireError(
                    "apply settings to '\(queue)'", "there are none",
                    "Send all of them: what is left out would be 0.")
            }
            try await broker.operator.apply(QueueSettings(request.settings), to: queue)
        }
        return Godwit_V1_DoneResponse()
    }

    // MARK: repair

    func faults(
        request: Godwit_V1_FaultsRequest, context: ServerContext
    ) async throws -> Godwit_V1_FaultsResponse {
        // Why no more: it reads only, and who may look may ask the doctor.
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        var response = Godwit_V1_FaultsResponse()
        guard let store = broker as? any Repairable else {
            response.unsupported = true
            return response
        }
        response.faults = try await answering {
            try await store.faults(in: queue, limit: min(Int(request.limit), 1_000_000)).map(\.wire)
        }
        return response
    }

    func repair(
        request: Godwit_V1_RepairRequest, context: ServerContext
    ) async throws -> Godwit_V1_RepairResponse {
        let (_, queue) = try Caller.allowed(.operate, on: request.fault.queue)
        return try await answering {
            let fault = try Fault(request.fault, in: queue)
            guard let store = broker as? any Repairable else {
                return RepairOutcome.refused("this store can't be repaired").wire
            }
            return try await store.repair(fault, isDryRun: request.isDryRun).wire
        }
    }

    // MARK: ids

    private func allowed(_ request: Godwit_V1_IDsRequest, _ verb: String) throws -> QueueName {
        let (_, queue) = try Caller.allowed(.operate, on: request.queue)
        try limits.check(entries: request.ids.count, of: "\(verb) in '\(queue)'")
        return queue
    }

    private func flags(
        _ request: Godwit_V1_IDsRequest, _ move: ([MessageID]) async throws -> [Bool]
    ) async throws -> Godwit_V1_FlagsResponse {
        try await answering {
            var response = Godwit_V1_FlagsResponse()
            response.moved = try await move(try request.ids.map { try MessageID(wire: $0) })
            return response
        }
    }
}
