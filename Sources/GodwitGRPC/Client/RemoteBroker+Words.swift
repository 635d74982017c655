// SPDX-License-Identifier: Apache-2.0
import Foundation
public import Godwit
import GodwitProtos
import Logging
import GRPCCore

private typealias Words = Godwit_V1_Queue.Method

extension RemoteBroker {
    public func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try validation.check(messages, for: queue, at: time.now() + clockOffset)
        return try await inParts(messages, size: \.wireSize) { part throws(BrokerError) in
            var wire = Godwit_V1_EnqueueRequest()
            wire.queue = queue.text
            wire.messages = part.map(\.wire)
            let what = "enqueue \(part.count) messages to '\(queue)'"
            let response: Godwit_V1_EnqueueResponse = try await courier.word(
                what, Words.Enqueue.descriptor, wire)
            return try understood(
                response.outcomes.map { EnqueueOutcome($0) }, of: part.count, what)
        }
    }

    public func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try validation.check(request, from: queue)
        let response: Godwit_V1_ReserveResponse = try await courier.word(
            "reserve from '\(queue)'", Words.Reserve.descriptor, request.wire(from: queue))
        return Reservation(response)
    }

    public func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: queue)
        return try await inParts(settlements, size: Self.wireSize) { part throws(BrokerError) in
            var wire = Godwit_V1_SettleRequest()
            wire.queue = queue.text
            wire.settlements = part.map(\.wire)
            let what = "settle \(part.count) messages in '\(queue)'"
            let response: Godwit_V1_OutcomesResponse = try await courier.word(
                what, Words.Settle.descriptor, wire)
            return try understood(response, of: part.count, what)
        }
    }

    public func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        guard !settlements.isEmpty, settlements.count <= WireLimits.reserve else {
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        let what = "settle \(settlements.count) messages in '\(queue)' and reserve"
        do throws(BrokerError) {
            try validation.check(settlements, in: queue)
            try validation.check(request, from: queue)
        } catch {
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        do throws(BrokerError) {
            var wire = Godwit_V1_SettleThenReserveRequest()
            wire.settlements = settlements.map(\.wire)
            wire.reserve = request.wire(from: queue)
            let response: Godwit_V1_SettleThenReserveResponse = try await courier.word(
                what, Words.SettleThenReserve.descriptor, wire)
            return SettledAndReserved(
                settled: settled(
                    response.outcomes, response.hasSettleFailure ? response.settleFailure : nil,
                    of: settlements.count, what),
                reserved: response.hasReserveFailure
                    ? .failure(response.reserveFailure.brokerError)
                    : .success(Reservation(response.reserved)))
        } catch {
            return SettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
    }

    public func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        if settlements.isEmpty { return }
        courier.detach { [self] in
            do throws(BrokerError) {
                _ = try await settle(settlements, in: queue)
            } catch {
                logger.warning(
                    "could not settle \(settlements.count) messages: \(error)",
                    metadata: ["queue": "\(queue)"])
            }
        }
    }

    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let what = "renew \(tokens.count) leases in '\(queue)'"
        do throws(BrokerError) {
            try validation.check(lease: lease, for: what)
        } catch {
            return then(.failure(error))
        }
        if isShutDown { return then(.failure(courier.closed(what))) }
        if tokens.isEmpty { return then(.success([])) }
        courier.detach { [self] in
            do throws(BrokerError) {
                then(
                    .success(
                        try await inParts(tokens, size: { _ in LeaseToken.size + 2 }) {
                            part throws(BrokerError) in
                            var wire = Godwit_V1_RenewRequest()
                            wire.queue = queue.text
                            wire.tokens = part.map(\.wire)
                            wire.leaseMs = lease.wire
                            let response: Godwit_V1_OutcomesResponse = try await courier.word(
                                what, Words.Renew.descriptor, wire)
                            return try understood(response, of: part.count, what)
                        }))
            } catch {
                then(.failure(error))
            }
        }
    }

    public func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(checkpoints, in: queue)
        return try await inParts(checkpoints, size: { $0.bytes.count + LeaseToken.size + 8 }) {
            part throws(BrokerError) in
            var wire = Godwit_V1_CheckpointRequest()
            wire.queue = queue.text
            wire.checkpoints = part.map { checkpoint in
                var progress = Godwit_V1_Progress()
                progress.token = checkpoint.token.wire
                progress.bytes = Data(wire: checkpoint.bytes)
                return progress
            }
            let what = "checkpoint \(part.count) messages in '\(queue)'"
            let response: Godwit_V1_OutcomesResponse = try await courier.word(
                what, Words.Checkpoint.descriptor, wire)
            return try understood(response, of: part.count, what)
        }
    }

    @discardableResult
    public func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        var wire = Godwit_V1_PromoteRequest()
        wire.queue = queue.text
        let response: Godwit_V1_CountResponse = try await courier.word(
            "promote in '\(queue)'", Words.Promote.descriptor, wire)
        return Int(wire: response.count)
    }

    @discardableResult
    public func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        var wire = Godwit_V1_ReclaimRequest()
        wire.queue = queue.text
        wire.limit = UInt32(clamping: limit)
        let response: Godwit_V1_ReclaimResponse = try await courier.word(
            "reclaim in '\(queue)'", Words.Reclaim.descriptor, wire)
        return Reclaimed(ready: Int(response.ready), dead: Int(response.dead))
    }

    @discardableResult
    public func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        var wire = Godwit_V1_PruneRequest()
        wire.queue = queue.text
        wire.limit = UInt32(clamping: limit)
        let response: Godwit_V1_CountResponse = try await courier.word(
            "prune '\(queue)'", Words.Prune.descriptor, wire)
        return Int(wire: response.count)
    }

    /// Waits in calls of at most a minute; a call that fails is a return for nothing, after a pause.
    public func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        guard timeout > .zero else { return }
        let length = min(timeout, WireLimits.wait)
        var wire = Godwit_V1_WaitRequest()
        wire.queue = queue.text
        if let kinds { wire.kinds = Godwit_V1_Kinds(kinds) }
        wire.timeoutMs = max(1, length.wire)
        let request = wire
        await courier.waiting { [self] in
            do throws(BrokerError) {
                _ = try await courier.call(
                    "wait for messages of '\(queue)'", isRead: true,
                    timeout: time.isVirtual ? nil : length + .seconds(10), request
                ) { [words] in try await words.wait(request: $0, options: $1) }
            } catch {
                // Why: without it a worker would turn without rest while the server is away.
                await time.sleep(for: min(timeout, .milliseconds(100)))
            }
        }
    }
}

extension RemoteBroker {
    private static func wireSize(_ settlement: Settlement) -> Int {
        switch settlement.verdict {
        case .retry(_, let reason), .reject(let reason):
            LeaseToken.size + reason.utf8.count + 24
        case .forward, .ack, .release: LeaseToken.size + 160
        }
    }

    /// Calls once for each part that fits into a call. When a later part fails, the whole is unknown
    /// to the caller: an earlier part was accepted.
    func inParts<Entry, Outcome>(
        _ entries: [Entry], size: (Entry) -> Int,
        _ call: (ArraySlice<Entry>) async throws(BrokerError) -> [Outcome]
    ) async throws(BrokerError) -> [Outcome] {
        var outcomes: [Outcome] = []
        var start = entries.startIndex
        while start < entries.endIndex {
            var end = start
            var bytes = 0
            while end < entries.endIndex, end - start < WireLimits.entries {
                let next = size(entries[end])
                if end > start, bytes + next > WireLimits.sentBytes { break }
                bytes += next
                end += 1
            }
            do throws(BrokerError) {
                outcomes += try await call(entries[start..<end])
            } catch {
                throw start == entries.startIndex ? error : error.asUnknown
            }
            start = end
        }
        return outcomes
    }

    func understood(
        _ response: Godwit_V1_OutcomesResponse, of count: Int, _ what: String
    ) throws(BrokerError) -> [SettleOutcome] {
        try understood(response.outcomes.map { SettleOutcome($0) }, of: count, what)
    }

    /// The first half of an answer to a call that settles and reserves.
    func settled(
        _ outcomes: [Godwit_V1_Outcome], _ failure: Godwit_V1_Failure?, of count: Int,
        _ what: String
    ) -> Result<[SettleOutcome], BrokerError> {
        if let failure { return .failure(failure.brokerError) }
        return Result { () throws(BrokerError) in
            try understood(outcomes.map { SettleOutcome($0) }, of: count, what)
        }
    }

    /// An answer that says less than was asked, or in words of a newer server, is no answer (I12).
    func understood<Outcome>(
        _ outcomes: [Outcome?], of count: Int, _ what: String
    ) throws(BrokerError) -> [Outcome] {
        let known = outcomes.compactMap(\.self)
        guard known.count == count else {
            throw .unknown(
                BrokerError.Problem(
                    what: what, location: courier.location,
                    cause: "the answer has \(known.count) outcomes that can be read, of \(count)",
                    advice: "Look whether the server is newer than this program."))
        }
        return known
    }
}
