// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitProtos
import GRPCCore

/// The words of a message's life, over gRPC: checks who calls, reads what was sent, passes it on.
///
/// It decides nothing about messages: the store behind it keeps every promise, and what it answers goes
/// back as it is. `Work` stands in `QueueService+Work.swift`.
struct QueueService: Godwit_V1_Queue.ServiceProtocol {
    let broker: any Broker
    let limits: DoorLimits
    /// Says when the server ends.
    let closing: Closing
    /// Where the Work streams wait; somebody has to run it.
    let floor = WorkFloor()

    // MARK: enqueue

    func enqueue(
        request: ServerRequest<Godwit_V1_EnqueueRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_EnqueueResponse> {
        let wire = request.message
        let (_, queue) = try Caller.allowed(.produce, on: wire.queue)
        try limits.check(entries: wire.messages.count, of: "enqueue to '\(queue)'")
        var response = Godwit_V1_EnqueueResponse()
        try await answering {
            var made: [Int] = []
            var messages: [NewMessage] = []
            messages.reserveCapacity(wire.messages.count)
            for message in wire.messages {
                if message.id.isEmpty { made.append(messages.count) }
                messages.append(try NewMessage(message) { newID() })
            }
            let outcomes = try await broker.enqueue(messages, to: queue)
            response.outcomes = outcomes.map(\.wire)
            for place in made where place < outcomes.count {
                response.outcomes[place].id = messages[place].id.wire
            }
        }
        return ServerResponse(message: response)
    }

    /// Why the store's clock: an id says when its message was made.
    private func newID() -> MessageID { MessageID(at: broker.time.now() + broker.clockOffset) }

    // MARK: reserve

    func reserve(
        request: ServerRequest<Godwit_V1_ReserveRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_ReserveResponse> {
        let wire = request.message
        let (caller, queue) = try Caller.allowed(.work, on: wire.queue)
        let reservation = try await answering {
            let request = try ReserveRequest(wire)
            let first = try await broker.reserve(request, from: queue)
            if !first.messages.isEmpty || wire.waitMs <= 0 { return first }
            let end = broker.time.now() + min(Duration(wire: wire.waitMs), WireLimits.wait)
            return try await whileConnected(context) {
                try await longPoll(request, queue, first, until: end)
            }
        }
        // Why not at the server's end: that cancels every call too, and its client still hears the answer.
        if context.cancellation.isCancelled, !closing.hasBegun {
            // Nobody hears the answer: back at once rather than when the leases run out.
            broker.settleDetached(
                reservation.messages.map { Settlement($0.token, .release) }, in: queue)
        }
        return ServerResponse(message: reservation.wire(raw: wire.raw, mask: caller.mask))
    }

    private func longPoll(
        _ request: ReserveRequest, _ queue: QueueName, _ first: Reservation, until end: Timestamp
    ) async throws -> Reservation {
        var reservation = first
        var fruitless = 0
        while reservation.messages.isEmpty, !Task.isCancelled, !closing.hasBegun {
            let left = end - broker.time.now()
            guard left > .zero else { break }
            let due = reservation.nextDue.map { $0 - reservation.now } ?? left
            let began = broker.time.now()
            await broker.wait(
                for: request.kinds, in: queue, upTo: max(.milliseconds(1), min(left, due)))
            if Task.isCancelled { break }
            // Why: a store may wake for what this request can't take.
            fruitless = broker.time.now() - began < .milliseconds(50) ? fruitless + 1 : 0
            if fruitless > 3, !broker.time.isVirtual {
                await broker.time.sleep(for: .milliseconds(min(500, 10 << min(fruitless - 3, 6))))
            }
            reservation = try await broker.reserve(request, from: queue)
        }
        return reservation
    }

    func wait(
        request: ServerRequest<Godwit_V1_WaitRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_WaitResponse> {
        let wire = request.message
        let (_, queue) = try Caller.allowed(.work, on: wire.queue)
        try await answering {
            let kinds = wire.hasKinds ? try wire.kinds.kinds() : nil
            let time = min(Duration(wire: wire.timeoutMs), WireLimits.wait)
            try await whileConnected(context) {
                await broker.wait(for: kinds, in: queue, upTo: time)
            }
        }
        return ServerResponse(message: Godwit_V1_WaitResponse())
    }

    // MARK: run

    func renew(
        request: ServerRequest<Godwit_V1_RenewRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        let wire = request.message
        let (caller, queue) = try Caller.allowed(.work, on: wire.queue)
        try limits.check(entries: wire.tokens.count, of: "renew in '\(queue)'")
        return try await outcomes {
            let batch = try TokenBatch(wire.tokens) { bytes throws(WireError) in
                LeaseToken(wire: bytes).map { caller.mask.known($0) }
            }
            return batch.outcomes(
                try await broker.renew(
                    batch.entries, for: Duration(wireLease: wire.leaseMs).boundedLease, in: queue))
        }
    }

    func checkpoint(
        request: ServerRequest<Godwit_V1_CheckpointRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        let wire = request.message
        let (caller, queue) = try Caller.allowed(.work, on: wire.queue)
        try limits.check(entries: wire.checkpoints.count, of: "checkpoint in '\(queue)'")
        return try await outcomes {
            let batch = try TokenBatch(wire.checkpoints) { progress throws(WireError) in
                LeaseToken(wire: progress.token).map {
                    Checkpoint(caller.mask.known($0), progress.bytes.array)
                }
            }
            return batch.outcomes(try await broker.checkpoint(batch.entries, in: queue))
        }
    }

    // MARK: settle

    func settle(
        request: ServerRequest<Godwit_V1_SettleRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        let wire = request.message
        let (caller, queue) = try Caller.allowed(.work, on: wire.queue)
        try limits.check(entries: wire.settlements.count, of: "settle in '\(queue)'")
        return try await outcomes {
            let batch = try Self.settlements(wire.settlements, caller)
            return batch.outcomes(try await broker.settle(batch.entries, in: queue))
        }
    }

    func settleThenReserve(
        request: ServerRequest<Godwit_V1_SettleThenReserveRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_SettleThenReserveResponse> {
        let wire = request.message
        let (caller, queue) = try Caller.allowed(.work, on: wire.reserve.queue)
        try limits.check(entries: wire.settlements.count, of: "settle in '\(queue)'")
        var response = Godwit_V1_SettleThenReserveResponse()
        try await answering {
            let batch = try Self.settlements(wire.settlements, caller)
            let result = await broker.settle(
                batch.entries, thenReserve: try ReserveRequest(wire.reserve), from: queue)
            switch result.settled {
            case .success(let outcomes): response.outcomes = batch.outcomes(outcomes)
            case .failure(let error): response.settleFailure = Godwit_V1_Failure(error)
            }
            switch result.reserved {
            case .success(let reservation):
                response.reserved = reservation.wire(raw: wire.reserve.raw, mask: caller.mask)
                if context.cancellation.isCancelled, !closing.hasBegun {
                    broker.settleDetached(
                        reservation.messages.map { Settlement($0.token, .release) }, in: queue)
                }
            case .failure(let error): response.reserveFailure = Godwit_V1_Failure(error)
            }
        }
        return ServerResponse(message: response)
    }

    /// A forward is an enqueue too: who may not produce there may not forward there.
    static func settlements(
        _ wires: [Godwit_V1_Settlement], _ caller: Caller
    ) throws -> TokenBatch<Settlement> {
        for case .forward(let forward) in wires.lazy.compactMap(\.verdict.move) {
            guard let target = try? QueueName(forward.queue), caller.may(.produce, target) else {
                throw Caller.denial
            }
        }
        return try TokenBatch(wires) { wire throws(WireError) in
            let verdict = try Verdict(wire.verdict)
            return LeaseToken(wire: wire.token).map {
                Settlement(caller.mask.known($0), verdict)
            }
        }
    }

    // MARK: upkeep

    func promote(
        request: ServerRequest<Godwit_V1_PromoteRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_CountResponse> {
        let (_, queue) = try Caller.allowed(.work, on: request.message.queue)
        return try await count { try await broker.promote(in: queue) }
    }

    func reclaim(
        request: ServerRequest<Godwit_V1_ReclaimRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_ReclaimResponse> {
        let (_, queue) = try Caller.allowed(.work, on: request.message.queue)
        let reclaimed = try await answering {
            try await broker.reclaim(Int(request.message.limit), in: queue)
        }
        var response = Godwit_V1_ReclaimResponse()
        response.ready = UInt32(clamping: reclaimed.ready)
        response.dead = UInt32(clamping: reclaimed.dead)
        return ServerResponse(message: response)
    }

    func prune(
        request: ServerRequest<Godwit_V1_PruneRequest>, context: ServerContext
    ) async throws -> ServerResponse<Godwit_V1_CountResponse> {
        let (_, queue) = try Caller.allowed(.work, on: request.message.queue)
        return try await count { try await broker.prune(Int(request.message.limit), in: queue) }
    }

    private func outcomes(
        _ body: () async throws -> [Godwit_V1_Outcome]
    ) async throws -> ServerResponse<Godwit_V1_OutcomesResponse> {
        var response = Godwit_V1_OutcomesResponse()
        response.outcomes = try await answering(body)
        return ServerResponse(message: response)
    }
}

/// Runs the body of a call and turns what it throws into a status.
func answering<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as BrokerError {
        throw error.rpcError
    } catch let error as WireError {
        throw error.brokerError.rpcError
    }
}

/// The same for a call that answers a number.
func count(_ body: () async throws -> Int) async throws -> ServerResponse<Godwit_V1_CountResponse> {
    var response = Godwit_V1_CountResponse()
    response.count = UInt64(clamping: try await answering(body))
    return ServerResponse(message: response)
}
