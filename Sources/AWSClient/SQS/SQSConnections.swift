// SPDX-License-Identifier: Apache-2.0
import SigV4

/// The ways to SQS that a source takes: connections for polls, and others for everything else.
///
/// Why two: a poll holds its connection for as long as it waits; a delete that stands behind it comes
/// too late, and its message comes again.
public struct SQSConnections: Sendable {
    public let polling: SQSClient
    public let settling: SQSClient
    private let pools: [HTTPPool]

    /// `polls` is how many run at the same time. Throws ``AWSError`` when region, endpoint or
    /// credentials are not set up.
    public init(
        _ options: AWSOptions, _ credentials: CredentialProvider, polls: Int = 1,
        timeout: Duration = .seconds(5)
    ) throws(AWSError) {
        // Why the wait and more: an answer may stand still for as long as a poll waits.
        let forPolls = HTTPPool(
            connections: max(1, polls), quiet: SQSClient.longestWait + timeout + .seconds(5))
        let forOthers = HTTPPool(connections: 8)
        pools = [forPolls, forOthers]
        let service = try ServiceClient("sqs", options, credentials, forPolls, signing: .standard)
        polling = SQSClient(SQSService(service), timeout: timeout)
        settling = SQSClient(SQSService(service.on(forOthers)), timeout: timeout)
    }

    /// Closes every connection; call it once, after the last run has ended.
    public func shutdown() async {
        for pool in pools { await pool.shutdown() }
    }
}

/// Carries calls over a ``ServiceClient``, each once.
public struct SQSService: SQSTransport {
    private let client: ServiceClient
    /// Ten messages of 1 MiB in sum, each byte of them escaped.
    private static let longestAnswer = 8 << 20

    public init(_ client: ServiceClient) { self.client = client }

    public func send(_ call: SQSCall) async throws(SQSError) -> SQSReply {
        do throws(AWSError) {
            // Why once: a repeated receive would hold messages that nobody knows of.
            let answer = try await client.send(
                ServiceRequest(
                    call.operation, method: "POST",
                    headers: call.headers.map { Field($0.name, $0.value) }, body: .bytes(call.body)),
                timeout: call.timeout, limit: Self.longestAnswer, retry: RetryPolicy(attempts: 1))
            return SQSReply(
                status: answer.status, queryError: answer.header("x-amzn-query-error"),
                body: answer.body)
        } catch {
            throw SQSError(error)
        }
    }
}

extension SQSError {
    /// By the service's code where it gave one, else by what became of the request.
    init(_ error: AWSError) {
        if error.status != 0 {
            self.init(code: error.code, status: error.status, error.text)
            return
        }
        self =
            switch error.kind {
            case .unavailable, .cancelled, .conflict: .unavailable(error.text)
            case .denied, .missing: .config(error.text)
            case .badAnswer: .corrupt(error.text)
            case .refused, .precondition: .invalid(error.text)
            }
    }
}
