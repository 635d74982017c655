// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOCore

/// Connections that are kept between requests, at most so many to a host.
///
/// Two that must not wait for each other (a long poll, and deletes) take a pool each. No redirect is
/// followed, no proxy variable read, nothing decompressed, nothing repeated: that is decided above.
public final class HTTPPool: Sendable {
    let client: HTTPClient

    /// `quiet`: how long an answer may stand still before its connection is given up; longer than the
    /// longest poll.
    public init(
        connections: Int = 8, connectTimeout: Duration = .seconds(5),
        quiet: Duration = .seconds(30)
    ) {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .init(connectTimeout), read: .init(quiet)),
            proxy: nil, decompression: .disabled)
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(
            1, connections)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.networkFrameworkWaitForConnectivity = false
        // Why: what is measured and promised (ranges, back pressure) is HTTP/1.1.
        configuration.httpVersion = .http1Only
        client = HTTPClient(configuration: configuration)
    }

    /// Closes every connection; requests under way fail. Call it once, when nobody uses it any more.
    public func shutdown() async { try? await client.shutdown() }
}

extension TimeAmount {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(
            Int64(clamping: seconds) * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
