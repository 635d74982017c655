// SPDX-License-Identifier: Apache-2.0

/// A message as it was received: its digests were checked.
public struct SQSMessage: Sendable, Hashable {
    public var id: String
    /// Good for this receipt only: the next one brings another.
    public var receiptHandle: String
    public var body: String
    /// `ApproximateReceiveCount`, `SentTimestamp` and what else was asked for.
    public var system: [String: String]
    public var attributes: [String: SQSAttribute]

    public init(
        id: String, receiptHandle: String, body: String, system: [String: String] = [:],
        attributes: [String: SQSAttribute] = [:]
    ) {
        self.id = id
        self.receiptHandle = receiptHandle
        self.body = body
        self.system = system
        self.attributes = attributes
    }

    /// How often it was received, this time included.
    public var receiveCount: Int { system["ApproximateReceiveCount"].flatMap(Int.init) ?? 1 }
}

/// A message on its way in.
public struct SQSNewMessage: Sendable, Hashable {
    public var body: String
    /// 0 to 900 s; nil is the queue's own.
    public var delay: Duration?
    public var attributes: [String: SQSAttribute]
    /// FIFO queues only.
    public var group: String?
    public var deduplicationID: String?

    public init(
        _ body: String, delay: Duration? = nil, attributes: [String: SQSAttribute] = [:],
        group: String? = nil, deduplicationID: String? = nil
    ) {
        self.body = body
        self.delay = delay
        self.attributes = attributes
        self.group = group
        self.deduplicationID = deduplicationID
    }

    /// What counts against the limit of a message and of a batch.
    public var bytes: Int {
        attributes.reduce(body.utf8.count) { sum, attribute in
            sum + attribute.key.utf8.count + attribute.value.type.utf8.count
                + attribute.value.bytes.count
        }
    }
}

/// A named value that travels beside a message's body.
public struct SQSAttribute: Sendable, Hashable {
    public enum Value: Sendable, Hashable {
        case text(String)
        case binary([UInt8])
    }

    /// `String`, `Number` or `Binary`, with a label of one's own after a dot.
    public var type: String
    public var value: Value

    public init(type: String, _ value: Value) {
        self.type = type
        self.value = value
    }

    public static func text(_ text: String) -> SQSAttribute {
        SQSAttribute(type: "String", .text(text))
    }

    var bytes: [UInt8] {
        switch value {
        case .text(let text): Array(text.utf8)
        case .binary(let bytes): bytes
        }
    }
}

/// One message of a batch, what became of it.
public enum SQSOutcome: Sendable, Hashable {
    case done
    case failed(SQSError)

    public var error: SQSError? {
        if case .failed(let error) = self { return error }
        return nil
    }
}

/// A queue's policy about messages that were received too often.
public struct RedrivePolicy: Sendable, Hashable {
    /// The ARN of the dead-letter queue.
    public var deadLetterTarget: String
    public var maxReceiveCount: Int

    public init(deadLetterTarget: String, maxReceiveCount: Int) {
        self.deadLetterTarget = deadLetterTarget
        self.maxReceiveCount = maxReceiveCount
    }
}
