// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix

extension RemoteBroker: Inspector {
    private var asks: Godwit_V1_Inspector.Client<HTTP2ClientTransport.Posix> {
        Godwit_V1_Inspector.Client(wrapping: courier.client)
    }

    public func queues() async throws(BrokerError) -> [QueueName] {
        let response = try await courier.call(
            "list queues", isRead: true, Godwit_V1_QueuesRequest()
        ) { [asks] in try await asks.queues(request: $0, options: $1) }
        return response.queues.compactMap { try? QueueName($0) }
    }

    public func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts {
        var wire = Godwit_V1_CountsRequest()
        wire.queue = queue.text
        return QueueCounts(
            try await courier.call("count '\(queue)'", isRead: true, wire) { [asks] in
                try await asks.counts(request: $0, options: $1)
            })
    }

    public func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? {
        var wire = Godwit_V1_GetMessageRequest()
        wire.queue = queue.text
        wire.id = id.wire
        let what = "look up \(id) in '\(queue)'"
        let response = try await courier.call(what, isRead: true, wire) { [asks] in
            try await asks.getMessage(request: $0, options: $1)
        }
        return response.hasRecord ? try read(MessageRecord(response.record), what) : nil
    }

    public func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount] {
        var wire = Godwit_V1_KindsRequest()
        wire.queue = queue.text
        let response = try await courier.call(
            "count the kinds of '\(queue)'", isRead: true, wire
        ) { [asks] in try await asks.queueKinds(request: $0, options: $1) }
        return response.kinds.map(KindCount.init)
    }

    public func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage? {
        var wire = Godwit_V1_FindRequest()
        wire.id = id.wire
        let what = "find \(id)"
        let response = try await courier.call(what, isRead: true, wire) { [asks] in
            try await asks.find(request: $0, options: $1)
        }
        return response.hasFound ? try read(FoundMessage(response.found), what) : nil
    }

    public func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage {
        var wire = Godwit_V1_MessagesRequest()
        wire.queue = queue.text
        wire.state = state.wire
        wire.cursor = cursor?.text ?? ""
        wire.limit = UInt32(clamping: limit)
        let what = "list '\(queue)'"
        let response = try await courier.call(what, isRead: true, wire) { [asks] in
            try await asks.messages(request: $0, options: $1)
        }
        var records: [MessageRecord] = []
        for record in response.records { records.append(try read(MessageRecord(record), what)) }
        return MessagePage(
            messages: records, next: response.next.isEmpty ? nil : PageCursor(response.next))
    }

    public func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        let what = "search for '\(plan.query.description.escapedForDisplay)'"
        // Why here: on the wire an empty cursor is none, and would begin anew without a word.
        if cursor?.text.isEmpty == true {
            throw .invalid(
                BrokerError.Problem(
                    what: what, location: courier.location, cause: "the cursor is empty",
                    advice: "Give the whole cursor of the last page, or none to begin anew."))
        }
        let response = try await courier.call(
            what, isRead: true, Godwit_V1_SearchRequest(plan, after: cursor, budget)
        ) { [asks] in try await asks.search(request: $0, options: $1) }
        var found: [FoundMessage] = []
        for message in response.found { found.append(try read(FoundMessage(message), what)) }
        return SearchPage(
            messages: found, scanned: Int(response.scanned),
            next: response.next.isEmpty ? nil : PageCursor(response.next))
    }

    public func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        var wire = Godwit_V1_CheckRequest()
        wire.queue = queue.text
        wire.limit = UInt32(clamping: limit)
        return try await courier.call("check '\(queue)'", isRead: true, wire) { [asks] in
            try await asks.check(request: $0, options: $1)
        }.sentences
    }

    public func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        var wire = Godwit_V1_SettingsRequest()
        wire.queue = queue.text
        return QueueSettings(
            try await courier.call("read the settings of '\(queue)'", isRead: true, wire) {
                [asks] in try await asks.settings(request: $0, options: $1)
            })
    }

    /// Nothing is left out without a word: a record that this client can't read is an error.
    func read<Value>(_ value: Value?, _ what: String) throws(BrokerError) -> Value {
        if let value { return value }
        throw .corrupt(
            BrokerError.Problem(
                what: what, location: courier.location,
                cause: "the answer holds something that this program can't read",
                advice: "Look whether the server is newer than this program."))
    }
}
