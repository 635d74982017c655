// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Speaks to SQS over its JSON protocol: one method per operation, each exactly one request.
///
/// A call that throws ``SQSError/unavailable(_:)`` may have happened; nothing is tried again here.
/// Give polls a client of their own, over connections of their own: a poll holds its connection for
/// up to 20 s, and a delete must not wait behind it.
public struct SQSClient: Sendable {
    /// What SQS takes at once.
    public static let batch = 10
    public static let batchBytes = 1 << 20
    public static let longestVisibility = Duration.seconds(43_200)
    public static let longestWait = Duration.seconds(20)

    public let transport: any SQSTransport
    /// How long an answer may take; a poll's own wait comes on top.
    public let timeout: Duration

    public init(_ transport: any SQSTransport, timeout: Duration = .seconds(5)) {
        self.transport = transport
        self.timeout = timeout
    }

    func call<Input: Encodable, Output: Decodable>(
        _ operation: String, _ input: Input, as type: Output.Type, on queue: String,
        wait: Duration = .zero
    ) async throws(SQSError) -> Output {
        let what = "\(operation) of '\(SQSError.shown(queue))'"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        let body: [UInt8]
        do {
            body = [UInt8](try encoder.encode(input))
        } catch {
            throw .invalid("\(what): the request can't be written: \(error)")
        }
        let reply = try await transport.send(
            SQSCall(operation, body: body, timeout: timeout + wait))
        guard reply.status == 200 else { throw SQSError(reply, what) }
        do {
            // Some operations answer with no body at all.
            let body = reply.body.isEmpty ? Array("{}".utf8) : reply.body
            return try JSONDecoder().decode(Output.self, from: Data(body))
        } catch {
            throw .corrupt(
                """
                \(what): the answer of \(reply.body.count) bytes is not what the operation answers \
                (\(SQSError.shown("\(error)"))). Is this the address of an SQS?
                """)
        }
    }

    struct Empty: Codable {}
}

/// Whole seconds, as the protocol counts: rounded up, so that nothing comes too early, and held within
/// what it takes.
func seconds(_ duration: Duration, atMost limit: Int) -> Int {
    let (seconds, attoseconds) = duration.components
    return Int(max(0, min(Int64(limit), attoseconds > 0 ? seconds &+ 1 : seconds)))
}
