// SPDX-License-Identifier: Apache-2.0
import Godwit
public import GodwitMonitor

/// A service that messages are pushed to.
///
/// The operator names it, so hosts inside of a network are allowed; what the service answers can't
/// lead anywhere else. Without encryption only this machine is spoken to, unless it is allowed.
public struct PushTarget: Sendable, CustomStringConvertible {
    /// How a gRPC service is spoken to.
    public enum Security: Sendable, Hashable {
        case plaintext
        /// The certificate is checked against the PEM file `authorities`, or the system's when nil.
        case tls(authorities: String? = nil)
    }

    enum Kind: Sendable {
        case http(WebhookURL, [WebhookSecret])
        case grpc(host: String, port: Int, Security)
    }

    let kind: Kind
    /// Where it is, without what may be secret: path and query are left out.
    public let description: String

    /// A service at an `http://` or `https://` URL; each call is signed with every secret
    /// (``WebhookSignature``). Only a service on this machine may do without.
    public static func http(
        _ url: String, secrets: [WebhookSecret], allowsPlaintext: Bool = false
    ) throws(PushRefusal) -> PushTarget {
        let parsed: WebhookURL
        do {
            parsed = try WebhookURL(url)
        } catch {
            throw PushRefusal(error.reason)
        }
        let isHere = isLoopback(parsed)
        guard parsed.isTLS || isHere || allowsPlaintext else { throw .plaintext(parsed.host) }
        guard isHere || !secrets.isEmpty else {
            throw PushRefusal(
                """
                there is no secret to sign with, and \(parsed.host) is another machine, where \
                everybody could call the service
                """)
        }
        return PushTarget(
            kind: .http(parsed, secrets),
            description:
                "\(parsed.isTLS ? "https" : "http")://\(shown(parsed.host)):\(parsed.port)")
    }

    /// A `godwit.v1.Handler` at `host:port`; an IPv6 address stands in brackets.
    public static func grpc(
        _ address: String, _ security: Security, allowsPlaintext: Bool = false
    ) throws(PushRefusal) -> PushTarget {
        let parsed: WebhookURL
        do {
            // Why: one strict reader of hosts and ports.
            parsed = try WebhookURL("http://" + address)
        } catch {
            throw PushRefusal(error.reason.replacing("the URL", with: "the address"))
        }
        let expected = "\(shown(parsed.host)):\(parsed.port)"
        guard parsed.target == "/", address.hasSuffix(":\(parsed.port)") else {
            throw PushRefusal("it is HOST:PORT and nothing else, such as \(expected)")
        }
        guard security != .plaintext || isLoopback(parsed) || allowsPlaintext else {
            throw .plaintext(parsed.host)
        }
        return PushTarget(
            kind: .grpc(host: parsed.host, port: parsed.port, security), description: expected)
    }

    private static func shown(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    private static func isLoopback(_ url: WebhookURL) -> Bool {
        guard let address = url.address else { return url.host == "localhost" }
        return address.isIPv6 ? address == NetworkAddress("::1") : address.bytes[0] == 127
    }
}

/// Why a target is not pushed to. Nothing was sent.
public struct PushRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String

    init(_ reason: String) { self.reason = reason }

    static func plaintext(_ host: String) -> PushRefusal {
        PushRefusal("\(host) is another machine, and messages would travel there unencrypted")
    }

    public var description: String { reason }
}
