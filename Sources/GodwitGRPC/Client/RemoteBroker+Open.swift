// SPDX-License-Identifier: Apache-2.0
import Foundation
public import Godwit
import GRPCNIOTransportHTTP2Posix
public import Logging

extension RemoteBroker {
    /// Opens the store behind a door. `token` comes before the URL's `token-file`.
    ///
    /// Throws `misconfigured` for files that can't be used, and `unavailable` when nobody answers for 5
    /// seconds; a door that goes away later is waited for.
    public convenience init(
        _ url: RemoteURL, token: String? = nil, time: any TimeSource = SystemTime(),
        logger: Logger = .current
    ) async throws(BrokerError) {
        var token = token
        if token == nil, let path = url.tokenFile { token = try Self.token(in: path, for: url) }
        if let token, !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            throw Self.refusal(
                url, "the token holds spaces or other characters that no token has",
                "Give it as `godwit token add` printed it.")
        }
        let target: any ResolvableTarget
        switch Loopback.holds(url.host) {
        case nil: target = .dns(host: url.host, port: url.port)
        case _ where url.host.contains(":"): target = .ipv6(address: url.host, port: url.port)
        default: target = .ipv4(address: url.host, port: url.port)
        }
        do throws(BrokerError) {
            try await self.init(
                target, try Self.security(of: url), location: "\(url)", token: token, time: time,
                logger: logger)
        } catch .unavailable(var problem) where url.isSecure {
            // Why: a handshake that fails looks like a connection that was closed.
            problem.advice +=
                " Look whether ca= signed the door's certificate, it names \(url.host), and the door "
                + "wants a certificate of yours."
            throw .unavailable(problem)
        } catch {
            throw error
        }
    }

    private static func token(in path: String, for url: RemoteURL) throws(BrokerError) -> String {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw refusal(
                url, "the token file '\(path)' is not there or can't be read",
                "Check the path and its rights.")
        }
        defer { try? handle.close() }
        // Longer than any token: a wrong file is refused by what it holds.
        let data = (try? handle.read(upToCount: 4096)) ?? Data()
        let token = String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        if token.isEmpty {
            throw refusal(
                url, "the token file '\(path)' is empty", "Put the token into it, on one line.")
        }
        return token
    }

    private static func security(
        of url: RemoteURL
    ) throws(BrokerError) -> HTTP2ClientTransport.Posix.TransportSecurity {
        guard url.isSecure else { return .plaintext }
        func read(_ path: String) throws(BrokerError) -> [UInt8] {
            do throws(PEMFile.Unusable) {
                return try PEMFile.read(path)
            } catch {
                throw refusal(
                    url, "the file '\(path)' is no use for TLS: \(error.reason)",
                    "Give files in PEM form.")
            }
        }
        var roots = TLSConfig.TrustRootsSource.systemDefault
        if let path = url.authorities {
            roots = .certificates([.bytes(try read(path), format: .pem)])
        }
        guard let certificate = url.certificate, let key = url.key else {
            return .tls { $0.trustRoots = roots }
        }
        return .mTLS(
            certificateChain: [.bytes(try read(certificate), format: .pem)],
            privateKey: .bytes(try read(key), format: .pem)
        ) { $0.trustRoots = roots }
    }

    private static func refusal(
        _ url: RemoteURL, _ cause: String, _ advice: String
    ) -> BrokerError {
        .misconfigured(
            BrokerError.Problem(
                what: "open", location: "\(url)", cause: cause.escapedForDisplay, advice: advice))
    }
}
