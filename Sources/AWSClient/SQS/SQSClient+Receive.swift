// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a receive brought.
public struct SQSReceived: Sendable, Hashable {
    public var messages: [SQSMessage]
    /// Messages whose bytes are not those that were sent; left alone, they come again.
    public var broken: [SQSError]

    public init(messages: [SQSMessage] = [], broken: [SQSError] = []) {
        self.messages = messages
        self.broken = broken
    }
}

extension SQSClient {
    /// Receives 1 to 10 messages, each ours for `visibility`; waits up to `wait` (20 s) for the first.
    ///
    /// An empty answer is the usual one, not an error. The answer counts as lost `timeout` after the
    /// wait is over: then what was in it comes again when its visibility has run out.
    public func receive(
        upTo count: Int, from queue: String, visibility: Duration? = nil,
        wait: Duration = longestWait
    ) async throws(SQSError) -> SQSReceived {
        let waitSeconds = seconds(wait, atMost: 20)
        let input = ReceiveInput(
            QueueUrl: queue, MaxNumberOfMessages: max(1, min(Self.batch, count)),
            VisibilityTimeout: visibility.map { seconds($0, atMost: 43_200) },
            WaitTimeSeconds: waitSeconds)
        let reply = try await call(
            "ReceiveMessage", input, as: ReceiveReply.self, on: queue, wait: .seconds(waitSeconds))
        var received = SQSReceived(messages: [], broken: [])
        for wire in reply.Messages ?? [] {
            do throws(SQSError) {
                received.messages.append(try wire.message(queue))
            } catch {
                received.broken.append(error)
            }
        }
        return received
    }

    /// Removes up to 10 messages; each has an outcome of its own. Repeated: the same again is done.
    public func delete(
        _ receipts: [String], from queue: String
    ) async throws(SQSError) -> [SQSOutcome] {
        if receipts.isEmpty { return [] }
        try Self.check(batch: receipts.count, "DeleteMessageBatch", queue)
        let entries = receipts.enumerated().map {
            ReceiptInput(Id: "\($0)", ReceiptHandle: $1, VisibilityTimeout: nil)
        }
        return try await call(
            "DeleteMessageBatch", BatchInput(QueueUrl: queue, Entries: entries),
            as: BatchReply<Named>.self, on: queue
        ).outcomes(receipts.count, "DeleteMessageBatch", queue)
    }

    /// Hides up to 10 messages for so long from now, at most until 12 h after they were received; zero
    /// gives one back at once.
    public func changeVisibility(
        _ changes: [(receipt: String, visibility: Duration)], in queue: String
    ) async throws(SQSError) -> [SQSOutcome] {
        if changes.isEmpty { return [] }
        try Self.check(batch: changes.count, "ChangeMessageVisibilityBatch", queue)
        let entries = changes.enumerated().map {
            ReceiptInput(
                Id: "\($0)", ReceiptHandle: $1.receipt,
                VisibilityTimeout: seconds($1.visibility, atMost: 43_200))
        }
        return try await call(
            "ChangeMessageVisibilityBatch", BatchInput(QueueUrl: queue, Entries: entries),
            as: BatchReply<Named>.self, on: queue
        ).outcomes(changes.count, "ChangeMessageVisibilityBatch", queue)
    }
}

private struct Named: Decodable, Identified {
    var Id: String?
}

private struct ReceiptInput: Encodable {
    var Id: String
    var ReceiptHandle: String
    var VisibilityTimeout: Int?
}

private struct ReceiveInput: Encodable {
    var QueueUrl: String
    var MaxNumberOfMessages: Int
    var VisibilityTimeout: Int?
    var WaitTimeSeconds: Int
    var MessageSystemAttributeNames = ["All"]
    // Why: the name of the other list in servers that are older than 2023.
    var AttributeNames = ["All"]
    var MessageAttributeNames = ["All"]
}

private struct ReceiveReply: Decodable {
    /// Absent when there are none.
    var Messages: [WireMessage]?
}

private struct WireMessage: Decodable {
    var MessageId: String?
    var ReceiptHandle: String?
    var Body: String?
    var MD5OfBody: String?
    var MD5OfMessageAttributes: String?
    var Attributes: [String: String]?
    var MessageAttributes: [String: WireAttribute]?

    func message(_ queue: String) throws(SQSError) -> SQSMessage {
        let what = "ReceiveMessage of '\(SQSError.shown(queue))'"
        guard let MessageId, let ReceiptHandle, let Body else {
            throw .corrupt("\(what): a message has no id, no receipt or no body")
        }
        let attributes = (MessageAttributes ?? [:]).mapValues(\.attribute)
        let isSame = MD5OfBody.map { $0 == SQSDigest.md5(of: Body) } ?? true
        // Why only with attributes: there is no digest of none, and servers differ in what they say.
        let isSameAside =
            attributes.isEmpty
            || (MD5OfMessageAttributes.map { $0 == SQSDigest.md5(of: attributes) } ?? true)
        guard isSame, isSameAside else {
            throw .corrupt(
                """
                \(what): message \(SQSError.shown(MessageId)) has other bytes than were sent (its MD5 \
                differs). It is left alone and comes again; look for a proxy on the way.
                """)
        }
        return SQSMessage(
            id: MessageId, receiptHandle: ReceiptHandle, body: Body, system: Attributes ?? [:],
            attributes: attributes)
    }
}
