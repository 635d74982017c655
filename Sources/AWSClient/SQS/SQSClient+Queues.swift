// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension SQSClient {
    /// Makes a queue and returns its URL; one that is there with these very attributes is the same.
    public func createQueue(
        _ name: String, attributes: [String: String] = [:]
    ) async throws(SQSError) -> String {
        struct Input: Encodable {
            var QueueName: String
            var Attributes: [String: String]?
        }
        return try await call(
            "CreateQueue",
            Input(QueueName: name, Attributes: attributes.isEmpty ? nil : attributes),
            as: Location.self, on: name
        ).url(of: name)
    }

    /// The URL of a queue, of this account unless `owner` says another one.
    public func url(of name: String, owner: String? = nil) async throws(SQSError) -> String {
        struct Input: Encodable {
            var QueueName: String
            var QueueOwnerAWSAccountId: String?
        }
        return try await call(
            "GetQueueUrl", Input(QueueName: name, QueueOwnerAWSAccountId: owner),
            as: Location.self, on: name
        ).url(of: name)
    }

    /// What is known of a queue, as text by name; all of it unless some are named.
    public func attributes(
        of queue: String, _ names: [String] = ["All"]
    ) async throws(SQSError) -> [String: String] {
        struct Input: Encodable {
            var QueueUrl: String
            var AttributeNames: [String]
        }
        struct Reply: Decodable {
            var Attributes: [String: String]?
        }
        return try await call(
            "GetQueueAttributes", Input(QueueUrl: queue, AttributeNames: names), as: Reply.self,
            on: queue
        ).Attributes ?? [:]
    }

    /// Where messages go that were received too often; nil when the queue has no such policy.
    public func redrivePolicy(of queue: String) async throws(SQSError) -> RedrivePolicy? {
        let attributes = try await attributes(of: queue, ["RedrivePolicy"])
        return attributes["RedrivePolicy"].flatMap(RedrivePolicy.init)
    }

    /// The URL of the queue that an ARN names, `arn:aws:sqs:region:account:name`.
    public func url(ofARN arn: String) async throws(SQSError) -> String {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "sqs", !parts[5].isEmpty else {
            throw .config("'\(SQSError.shown(arn))' is not the ARN of a queue: check the policy.")
        }
        return try await url(of: String(parts[5]), owner: String(parts[4]))
    }

    private struct Location: Decodable {
        var QueueUrl: String?

        func url(of name: String) throws(SQSError) -> String {
            guard let QueueUrl, !QueueUrl.isEmpty else {
                throw .corrupt("the answer has no URL of the queue '\(SQSError.shown(name))'")
            }
            return QueueUrl
        }
    }
}

extension RedrivePolicy {
    /// Reads the attribute: a JSON text, in which the count is a number or a text of one.
    public init?(_ text: String) {
        struct Wire: Decodable {
            var deadLetterTargetArn: String
            var maxReceiveCount: Count
        }
        struct Count: Decodable {
            var value: Int
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let value = try? container.decode(Int.self) {
                    self.value = value
                } else {
                    let text = try container.decode(String.self)
                    guard let value = Int(text) else {
                        throw DecodingError.dataCorruptedError(
                            in: container, debugDescription: "no count")
                    }
                    self.value = value
                }
            }
        }
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(text.utf8)) else {
            return nil
        }
        self.init(
            deadLetterTarget: wire.deadLetterTargetArn, maxReceiveCount: wire.maxReceiveCount.value)
    }

    /// The attribute's text.
    public var text: String {
        struct Wire: Encodable {
            var deadLetterTargetArn: String
            var maxReceiveCount: String
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let wire = Wire(deadLetterTargetArn: deadLetterTarget, maxReceiveCount: "\(maxReceiveCount)")
        return (try? encoder.encode(wire)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

// MARK: Redrive

/// One move of dead letters back to where they came from.
public struct SQSMoveTask: Sendable, Hashable, Decodable {
    /// Only a running one has it.
    public var handle: String?
    /// `RUNNING`, `COMPLETED`, `CANCELLING`, `CANCELLED`, `FAILED`.
    public var status: String?
    public var moved: Int?
    /// How many there were to move, as far as SQS knew.
    public var outOf: Int?
    public var failure: String?

    enum CodingKeys: String, CodingKey {
        case handle = "TaskHandle"
        case status = "Status"
        case moved = "ApproximateNumberOfMessagesMoved"
        case outOf = "ApproximateNumberOfMessagesToMove"
        case failure = "FailureReason"
    }
}

extension SQSClient {
    /// Begins to move all messages of a dead-letter queue back to the queues they came from, or to
    /// `destination`; `rate` is 1 to 500 a second. Returns the handle to cancel it with.
    public func startMoveTask(
        from sourceARN: String, to destination: String? = nil, rate: Int? = nil
    ) async throws(SQSError) -> String {
        struct Input: Encodable {
            var SourceArn: String
            var DestinationArn: String?
            var MaxNumberOfMessagesPerSecond: Int?
        }
        struct Reply: Decodable {
            var TaskHandle: String?
        }
        let reply = try await call(
            "StartMessageMoveTask",
            Input(
                SourceArn: sourceARN, DestinationArn: destination,
                MaxNumberOfMessagesPerSecond: rate.map { max(1, min(500, $0)) }),
            as: Reply.self, on: sourceARN)
        guard let handle = reply.TaskHandle else {
            throw .corrupt("StartMessageMoveTask of '\(SQSError.shown(sourceARN))': no handle")
        }
        return handle
    }

    /// Stops a move; returns how many messages were moved until then.
    public func cancelMoveTask(_ handle: String) async throws(SQSError) -> Int {
        struct Input: Encodable {
            var TaskHandle: String
        }
        struct Reply: Decodable {
            var ApproximateNumberOfMessagesMoved: Int?
        }
        return try await call(
            "CancelMessageMoveTask", Input(TaskHandle: handle), as: Reply.self, on: "a move task"
        ).ApproximateNumberOfMessagesMoved ?? 0
    }

    /// The latest moves from a dead-letter queue, the newest first; up to 10.
    public func moveTasks(
        from sourceARN: String, limit: Int = 10
    ) async throws(SQSError) -> [SQSMoveTask] {
        struct Input: Encodable {
            var SourceArn: String
            var MaxResults: Int
        }
        struct Reply: Decodable {
            var Results: [SQSMoveTask]?
        }
        return try await call(
            "ListMessageMoveTasks",
            Input(SourceArn: sourceARN, MaxResults: max(1, min(10, limit))), as: Reply.self,
            on: sourceARN
        ).Results ?? []
    }
}
