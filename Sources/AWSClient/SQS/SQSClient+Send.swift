// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension SQSClient {
    /// Sends one message; returns its id once SQS has it and its digests say that it has the same.
    ///
    /// Repeated: a second message, unless the queue is FIFO. ``SQSError/invalid(_:)`` without a
    /// request when the body holds a character that is none of XML 1.0.
    @discardableResult
    public func send(
        _ message: SQSNewMessage, to queue: String
    ) async throws(SQSError) -> String {
        try Self.check(message, queue)
        let sent = try await call(
            "SendMessage", SendInput(message, id: nil, queue: queue), as: Sent.self, on: queue)
        if let error = sent.problem(message, queue) { throw error }
        guard let id = sent.MessageId else {
            throw .corrupt("SendMessage to '\(SQSError.shown(queue))': the answer has no id")
        }
        return id
    }

    /// Sends up to 10 messages of up to 1 MiB together; each has an outcome of its own.
    public func send(
        _ messages: [SQSNewMessage], to queue: String
    ) async throws(SQSError) -> [SQSOutcome] {
        if messages.isEmpty { return [] }
        for message in messages { try Self.check(message, queue) }
        try Self.check(batch: messages.count, "SendMessageBatch", queue)
        let bytes = messages.reduce(0) { $0 + $1.bytes }
        guard bytes <= Self.batchBytes else {
            throw .invalid(
                """
                SendMessageBatch to '\(SQSError.shown(queue))': \(bytes) bytes together, \
                \(Self.batchBytes) are allowed. Send fewer at once.
                """)
        }
        let entries = messages.enumerated().map { SendInput($1, id: "\($0)", queue: nil) }
        let reply = try await call(
            "SendMessageBatch", BatchInput(QueueUrl: queue, Entries: entries),
            as: BatchReply<Sent>.self, on: queue)
        return reply.outcomes(messages.count, "SendMessageBatch", queue) { index, sent in
            sent.problem(messages[index], queue)
        }
    }

    private static func check(_ message: SQSNewMessage, _ queue: String) throws(SQSError) {
        let texts =
            [message.body]
            + message.attributes.values.compactMap { attribute -> String? in
                if case .text(let text) = attribute.value { return text }
                return nil
            }
        guard texts.allSatisfy(SQSText.allows) else {
            throw .invalid(
                """
                a message to '\(SQSError.shown(queue))' holds a character that SQS does not take \
                (not one of XML 1.0). Encode the body, for example as base64.
                """)
        }
        guard message.bytes <= batchBytes, !message.body.isEmpty else {
            throw .invalid(
                """
                a message to '\(SQSError.shown(queue))' has \(message.bytes) bytes; 1 to \
                \(batchBytes) are allowed. Put the bytes into a store and send where they are.
                """)
        }
    }

    static func check(
        batch count: Int, _ operation: String, _ queue: String
    ) throws(SQSError) {
        guard count <= batch else {
            throw .invalid(
                "\(operation) to '\(SQSError.shown(queue))': \(count) entries, \(batch) are allowed")
        }
    }
}

/// The attributes of a message on the wire.
struct WireAttribute: Codable {
    var DataType: String
    var StringValue: String?
    var BinaryValue: Data?

    init(_ attribute: SQSAttribute) {
        DataType = attribute.type
        switch attribute.value {
        case .text(let text): StringValue = text
        case .binary(let bytes): BinaryValue = Data(bytes)
        }
    }

    var attribute: SQSAttribute {
        if let BinaryValue { return SQSAttribute(type: DataType, .binary([UInt8](BinaryValue))) }
        return SQSAttribute(type: DataType, .text(StringValue ?? ""))
    }
}

private struct SendInput: Encodable {
    var Id: String?
    var QueueUrl: String?
    var MessageBody: String
    var DelaySeconds: Int?
    var MessageAttributes: [String: WireAttribute]?
    var MessageGroupId: String?
    var MessageDeduplicationId: String?

    init(_ message: SQSNewMessage, id: String?, queue: String?) {
        Id = id
        QueueUrl = queue
        MessageBody = message.body
        DelaySeconds = message.delay.map { seconds($0, atMost: 900) }
        MessageAttributes =
            message.attributes.isEmpty ? nil : message.attributes.mapValues(WireAttribute.init)
        MessageGroupId = message.group
        MessageDeduplicationId = message.deduplicationID
    }
}

private struct Sent: Decodable, Identified {
    var Id: String?
    var MessageId: String?
    var MD5OfMessageBody: String?
    var MD5OfMessageAttributes: String?

    func problem(_ message: SQSNewMessage, _ queue: String) -> SQSError? {
        let isSame =
            MD5OfMessageBody.map { $0 == SQSDigest.md5(of: message.body) } ?? true
        let isSameAside =
            message.attributes.isEmpty
            || (MD5OfMessageAttributes.map { $0 == SQSDigest.md5(of: message.attributes) } ?? true)
        if isSame && isSameAside { return nil }
        return .corrupt(
            """
            a message was sent to '\(SQSError.shown(queue))' and SQS took in other bytes \
            (their MD5 differs). Look for a proxy on the way.
            """)
    }
}

// MARK: Batches

protocol Identified {
    var Id: String? { get }
}

struct BatchInput<Entry: Encodable>: Encodable {
    var QueueUrl: String
    var Entries: [Entry]
}

/// The answer to a batch: 200 says only that it was read. What became of each entry stands in two
/// lists, and an entry that stands in none is unknown.
struct BatchReply<Entry: Decodable & Identified>: Decodable {
    struct Failure: Decodable {
        var Id: String?
        var Code: String?
        var Message: String?
        var SenderFault: Bool?
    }

    var Successful: [Entry]?
    var Failed: [Failure]?

    func outcomes(
        _ count: Int, _ operation: String, _ queue: String,
        _ problem: (Int, Entry) -> SQSError? = { _, _ in nil }
    ) -> [SQSOutcome] {
        let what = "\(operation) of '\(SQSError.shown(queue))'"
        var outcomes = Array(
            repeating: SQSOutcome.failed(
                .unavailable("\(what): the answer does not say what became of an entry")),
            count: count)
        func place(_ id: String?) -> Int? {
            guard let index = id.flatMap(Int.init), outcomes.indices.contains(index) else {
                return nil
            }
            return index
        }
        for entry in Successful ?? [] {
            guard let index = place(entry.Id) else { continue }
            outcomes[index] = problem(index, entry).map { .failed($0) } ?? .done
        }
        for failure in Failed ?? [] {
            guard let index = place(failure.Id) else { continue }
            let code = SQSError.shown(failure.Code ?? "none")
            let text = SQSError.shown(failure.Message ?? "")
            outcomes[index] = .failed(
                SQSError(
                    code: code, status: failure.SenderFault == false ? 500 : 400,
                    "\(what): an entry failed, code '\(code)'\(text.isEmpty ? "" : ": \(text)")"))
        }
        return outcomes
    }
}
