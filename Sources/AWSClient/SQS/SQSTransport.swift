// SPDX-License-Identifier: Apache-2.0

/// Carries one call of the JSON protocol to SQS and its answer back: signs, sends, and nothing else.
///
/// It does not try again: whoever calls knows what a repetition means.
public protocol SQSTransport: Sendable {
    /// Throws ``SQSError/unavailable(_:)`` when there was no answer within the call's time, and
    /// ``SQSError/config(_:)`` when there is nothing to sign with. Every answer is returned, errors too.
    func send(_ call: SQSCall) async throws(SQSError) -> SQSReply
}

/// A request of the AWS JSON 1.0 protocol.
public struct SQSCall: Sendable {
    /// The operation's name, `ReceiveMessage`.
    public var operation: String
    public var body: [UInt8]
    /// How long an answer may take before the connection counts as lost: a dead peer sends no sign.
    public var timeout: Duration

    public init(_ operation: String, body: [UInt8], timeout: Duration) {
        self.operation = operation
        self.body = body
        self.timeout = timeout
    }

    /// What the request says about itself; `x-amzn-query-mode` asks for the older error codes, which
    /// are the ones that people know.
    public var headers: [(name: String, value: String)] {
        [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.\(operation)"),
            ("x-amzn-query-mode", "true"),
        ]
    }
}

public struct SQSReply: Sendable {
    public var status: Int
    /// The header `x-amzn-query-error`: `Code;Sender` or `Code;Receiver`.
    public var queryError: String?
    public var body: [UInt8]

    public init(status: Int, queryError: String? = nil, body: [UInt8]) {
        self.status = status
        self.queryError = queryError
        self.body = body
    }
}
