// SPDX-License-Identifier: Apache-2.0

/// A named queue on a broker: where producers put jobs and workers take them from.
///
/// A small value; making one opens nothing and creates nothing. It counts for the metrics factory
/// that is current then, so bootstrap `MetricsSystem` first.
public struct Queue: Sendable {
    public let name: QueueName
    public let broker: any Broker
    /// How this producer writes payloads. Workers read what the message says it is.
    public let codec: any Codec
    let ids: MessageIDSequence
    /// Where this process counts; nil when nobody wants to know.
    let meters: QueueMeters?

    public init(
        _ name: QueueName, on broker: any Broker, codec: any Codec = MessagePackCodec()
    ) {
        self.name = name
        self.broker = broker
        self.codec = codec
        self.ids = MessageIDSequence()
        self.meters = MeterBook.current?.meters(of: name)
    }

    /// A fresh id by the store's clock.
    public func newID() -> MessageID { ids.next(at: broker.time.now() + broker.clockOffset) }
}

/// The answer to an enqueue that was accepted.
public struct Enqueued: Sendable, Hashable {
    /// The live message: the new one, or the one that was there already.
    public let id: MessageID
    /// False when the id was known (I12) or its unique key taken (I9): nothing was added.
    public let isNew: Bool
}

/// A message that an enqueue did not add.
public struct NotAdded: Sendable, Hashable {
    public let id: MessageID
    /// Its place among the jobs of the call, from 0.
    public let position: Int
}

/// Why an enqueue was not accepted, by what the caller does next.
@nonexhaustive
public enum EnqueueError: Error, Sendable {
    /// The job's type has no usable wire name: set `static let name`.
    case invalidName(InvalidName)
    /// The job does not encode.
    case notEncodable(kind: String, reason: String)
    /// The message is larger than the broker takes: put the bytes elsewhere and send where they are.
    case tooLarge(kind: String, bytes: Int, limit: Int)
    /// The queue holds its maximum; nothing of `rejected` was added: slow down, then enqueue those
    /// again. `gone` is as in ``recordGone(queue:gone:)``; everything else of the call was accepted.
    case full(queue: QueueName, rejected: [NotAdded], gone: [NotAdded])
    /// These ids may have been enqueued before and their records are gone (I12): ask the history.
    case recordGone(queue: QueueName, gone: [NotAdded])
    /// The store failed; after ``BrokerError/unknown(_:)`` repeat with ``EnqueueOption/id(_:)`` of these ids.
    case broker(BrokerError, ids: [MessageID])
}

extension EnqueueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidName(let error): error.description
        case .notEncodable(let kind, let reason):
            "a \(kind) could not be encoded: \(reason). Nothing was enqueued."
        case .tooLarge(let kind, let bytes, let limit):
            """
            a \(kind) takes \(bytes) bytes, the broker takes \(limit). Nothing was enqueued. \
            Store the bytes elsewhere and enqueue where they are.
            """
        case .full(let queue, let rejected, _):
            """
            queue '\(queue)' holds its maximum; \(rejected.count) message(s) were not added, \
            the first at position \(rejected.first?.position ?? 0). Slow down and enqueue them again.
            """
        case .recordGone(let queue, let gone):
            """
            \(gone.count) id(s) may have been in queue '\(queue)' before and their records are gone, \
            the first is \(gone.first?.id.description ?? "none"). They were not added; ask the history.
            """
        case .broker(let error, _): error.description
        }
    }
}
