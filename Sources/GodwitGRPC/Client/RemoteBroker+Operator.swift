// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix

extension RemoteBroker: Operator {
    private var moves: Godwit_V1_Operator.Client<HTTP2ClientTransport.Posix> {
        Godwit_V1_Operator.Client(wrapping: courier.client)
    }

    public func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        try await inParts(ids, size: { _ in 18 }) { part throws(BrokerError) in
            let what = "redrive \(part.count) messages in '\(queue)'"
            let response = try await courier.call(what, Self.request(part, queue)) { [moves] in
                try await moves.redrive(request: $0, options: $1)
            }
            return try understood(
                response.outcomes.map { RedriveOutcome($0) }, of: part.count, what)
        }
    }

    public func cancel(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await inParts(ids, size: { _ in 18 }) { part throws(BrokerError) in
            let what = "cancel \(part.count) messages in '\(queue)'"
            let response = try await courier.call(what, Self.request(part, queue)) { [moves] in
                try await moves.cancel(request: $0, options: $1)
            }
            return try understood(response.moved, of: part.count, what)
        }
    }

    public func promote(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await inParts(ids, size: { _ in 18 }) { part throws(BrokerError) in
            let what = "promote \(part.count) messages in '\(queue)'"
            let response = try await courier.call(what, Self.request(part, queue)) { [moves] in
                try await moves.promoteNow(request: $0, options: $1)
            }
            return try understood(response.moved, of: part.count, what)
        }
    }

    public func pause(_ queue: QueueName) async throws(BrokerError) {
        var wire = Godwit_V1_QueueRequest()
        wire.queue = queue.text
        _ = try await courier.call("pause '\(queue)'", wire) { [moves] in
            try await moves.pause(request: $0, options: $1)
        }
    }

    public func resume(_ queue: QueueName) async throws(BrokerError) {
        var wire = Godwit_V1_QueueRequest()
        wire.queue = queue.text
        _ = try await courier.call("resume '\(queue)'", wire) { [moves] in
            try await moves.resume(request: $0, options: $1)
        }
    }

    public func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        var total = 0
        repeat {
            var wire = Godwit_V1_PurgeRequest()
            wire.queue = queue.text
            wire.limit = UInt32(max(0, min(limit - total, WireLimits.entries)))
            let request = wire
            do throws(BrokerError) {
                let count = Int(
                    wire: try await courier.call("purge '\(queue)'", request) { [moves] in
                        try await moves.purge(request: $0, options: $1)
                    }.count)
                total += count
                if count < request.limit { return total }
            } catch {
                throw total == 0 ? error : error.asUnknown
            }
        } while total < limit
        return total
    }

    public func apply(
        _ settings: QueueSettings, to queue: QueueName
    ) async throws(BrokerError) {
        try validation.check(settings, for: queue)
        var wire = Godwit_V1_ApplyRequest()
        wire.queue = queue.text
        wire.settings = settings.wire
        _ = try await courier.call("apply settings to '\(queue)'", wire) { [moves] in
            try await moves.apply(request: $0, options: $1)
        }
    }

    private static func request(
        _ ids: ArraySlice<MessageID>, _ queue: QueueName
    ) -> Godwit_V1_IDsRequest {
        var wire = Godwit_V1_IDsRequest()
        wire.queue = queue.text
        wire.ids = ids.map(\.wire)
        return wire
    }
}

extension RemoteBroker: Repairable {
    /// None where the store behind the door can't look for any.
    public func faults(
        in queue: QueueName, limit: Int
    ) async throws(BrokerError) -> [Fault] {
        var wire = Godwit_V1_FaultsRequest()
        wire.queue = queue.text
        wire.limit = UInt32(clamping: limit)
        let what = "look for faults in '\(queue)'"
        let response = try await courier.call(what, isRead: true, wire) { [moves] in
            try await moves.faults(request: $0, options: $1)
        }
        var faults: [Fault] = []
        for fault in response.faults {
            faults.append(try read(try? Fault(fault, in: queue), what))
        }
        return faults
    }

    public func repair(
        _ fault: Fault, isDryRun: Bool
    ) async throws(BrokerError) -> RepairOutcome {
        var wire = Godwit_V1_RepairRequest()
        wire.fault = fault.wire
        wire.isDryRun = isDryRun
        let what = "repair '\(fault.queue)'"
        let response = try await courier.call(what, isRead: isDryRun, wire) { [moves] in
            try await moves.repair(request: $0, options: $1)
        }
        return try understood([RepairOutcome(response)], of: 1, what)[0]
    }
}
