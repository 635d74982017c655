// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

/// Reads of a store, over gRPC, each cut to what the caller may inspect.
///
/// What a caller may not see is left out of lists and answers as if it were not there.
struct InspectorService: Godwit_V1_Inspector.SimpleServiceProtocol {
    let broker: any Broker

    func queues(
        request: Godwit_V1_QueuesRequest, context: ServerContext
    ) async throws -> Godwit_V1_QueuesResponse {
        let caller = try Caller.known()
        return try await answering {
            var response = Godwit_V1_QueuesResponse()
            response.queues = try await seen(by: caller).map(\.text)
            return response
        }
    }

    func counts(
        request: Godwit_V1_CountsRequest, context: ServerContext
    ) async throws -> Godwit_V1_CountsResponse {
        // A worker may know when its own queue is empty.
        let (_, queue) =
            try (try? Caller.allowed(.work, on: request.queue))
            ?? Caller.allowed(.inspect, on: request.queue)
        return try await answering { try await broker.inspector.counts(of: queue).wire }
    }

    func queueKinds(
        request: Godwit_V1_KindsRequest, context: ServerContext
    ) async throws -> Godwit_V1_KindsResponse {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering {
            var response = Godwit_V1_KindsResponse()
            response.kinds = try await broker.inspector.kinds(of: queue).map(\.wire)
            return response
        }
    }

    func settings(
        request: Godwit_V1_SettingsRequest, context: ServerContext
    ) async throws -> Godwit_V1_QueueSettings {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering { try await broker.operator.settings(of: queue).wire }
    }

    func check(
        request: Godwit_V1_CheckRequest, context: ServerContext
    ) async throws -> Godwit_V1_CheckResponse {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering {
            var response = Godwit_V1_CheckResponse()
            response.sentences = try await broker.inspector.check(
                queue, limit: min(Int(request.limit), 1_000_000))
            return response
        }
    }

    // MARK: messages

    func getMessage(
        request: Godwit_V1_GetMessageRequest, context: ServerContext
    ) async throws -> Godwit_V1_GetMessageResponse {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering {
            var response = Godwit_V1_GetMessageResponse()
            let id = try MessageID(wire: request.id)
            if let record = try await broker.inspector.message(id, in: queue) {
                response.record = record.wire
            }
            return response
        }
    }

    func find(
        request: Godwit_V1_FindRequest, context: ServerContext
    ) async throws -> Godwit_V1_FindResponse {
        let caller = try Caller.known()
        return try await answering {
            var response = Godwit_V1_FindResponse()
            if let found = try await find(try MessageID(wire: request.id), for: caller) {
                response.found = found.wire
            }
            return response
        }
    }

    /// Where the caller can't see the copy that tells most, the best of those that it can see.
    private func find(_ id: MessageID, for caller: Caller) async throws -> FoundMessage? {
        guard let found = try await broker.inspector.find(id) else { return nil }
        if caller.may(.inspect, found.queue) { return found }
        var best: FoundMessage?
        for queue in try await seen(by: caller) {
            guard let record = try await broker.inspector.message(id, in: queue) else { continue }
            let other = FoundMessage(queue: queue, record: record)
            if best.map({ other.goesBefore($0) }) ?? true { best = other }
        }
        return best
    }

    func messages(
        request: Godwit_V1_MessagesRequest, context: ServerContext
    ) async throws -> Godwit_V1_MessagesResponse {
        let (_, queue) = try Caller.allowed(.inspect, on: request.queue)
        return try await answering {
            guard let state = MessageState(request.state) else {
                throw WireError(
                    "list '\(queue)'", "its state is none that this server knows",
                    "Name one in the field `state`, for example STATE_DEAD.")
            }
            let limit = max(1, min(Int(request.limit), WireLimits.page))
            var response = Godwit_V1_MessagesResponse()
            var cursor = request.cursor.isEmpty ? nil : PageCursor(request.cursor)
            var bytes = 0
            repeat {
                let page = try await broker.inspector.messages(
                    state, in: queue, after: cursor,
                    limit: min(limit - response.records.count, WireLimits.pagePart))
                response.records += page.messages.map(\.wire)
                bytes += page.messages.reduce(0) { $0 + $1.wireSize }
                cursor = page.next
            } while cursor != nil && response.records.count < limit && bytes < WireLimits.pageBytes
            response.next = cursor?.text ?? ""
            return response
        }
    }

    // MARK: search

    func search(
        request: Godwit_V1_SearchRequest, context: ServerContext
    ) async throws -> Godwit_V1_SearchResponse {
        let caller = try Caller.known()
        return try await answering {
            let query: Query
            do throws(QueryError) {
                query = try Query(request.query)
            } catch {
                throw WireError(
                    "read a query", "\(error)", "`godwit help query` shows what can be asked.")
            }
            let storeTime = broker.time.now() + broker.clockOffset
            var plan = QueryPlan(
                query, now: request.nowMs == 0 ? storeTime : Timestamp(wire: request.nowMs),
                upperID: request.upperID.isEmpty ? nil : try MessageID(wire: request.upperID))
            if !caller.may(.inspect, nil) {
                plan = plan.limited(to: Set(try await seen(by: caller)))
            }
            return try await search(plan, SearchBudget(request), after: request.cursor)
        }
    }

    /// In parts that surely fit into an answer, until the budget is used up.
    private func search(
        _ plan: QueryPlan, _ budget: SearchBudget, after start: String
    ) async throws -> Godwit_V1_SearchResponse {
        let began = broker.time.now()
        var response = Godwit_V1_SearchResponse()
        var cursor = start.isEmpty ? nil : PageCursor(start)
        var left = budget
        var scanned = 0
        var bytes = 0
        repeat {
            var part = left
            part.messages = min(left.messages, WireLimits.pagePart)
            let page = try await broker.inspector.search(plan, after: cursor, budget: part)
            response.found += page.messages.map(\.wire)
            bytes += page.messages.reduce(0) { $0 + $1.record.wireSize }
            scanned += page.scanned
            cursor = page.next
            left.messages -= page.messages.count
            left.records -= page.scanned
            left.time = budget.time - (broker.time.now() - began)
        } while cursor != nil && left.messages > 0 && left.records > 0 && left.time > .zero
            && bytes < WireLimits.pageBytes
        response.scanned = UInt32(clamping: scanned)
        response.next = cursor?.text ?? ""
        return response
    }

    /// What the caller may inspect, by name.
    private func seen(by caller: Caller) async throws -> [QueueName] {
        try await broker.inspector.queues().filter { caller.may(.inspect, $0) }
    }
}
