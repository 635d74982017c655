// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging

/// Decides whether a webhook may be dialled, and at which addresses: a pure function of the URL, the
/// answer of the resolver and what the operator listed.
///
/// Against server-side request forgery: who may write a URL must not reach what only this machine can.
/// The list comes from the process's own configuration, never from the store.
public struct DialGuard: Sendable, Hashable {
    /// A host that the operator named: it may be private, and may be spoken to without TLS.
    public struct Listed: Sendable, Hashable {
        public var host: String
        /// Nil: the default ports, 443 and (without TLS) 80.
        public var port: Int?

        public init(host: String, port: Int? = nil) {
            self.host = host
            self.port = port
        }
    }

    /// Where a webhook was found to be.
    public struct Target: Sendable, Hashable {
        public var url: WebhookURL
        /// Checked, in the resolver's order.
        public var addresses: [NetworkAddress]
    }

    public var listed: [Listed]
    /// The ports at which public hosts may be spoken to, with TLS.
    public var ports: Set<Int>

    public init(listed: [Listed] = [], ports: Set<Int> = [443]) {
        self.listed = listed
        self.ports = ports
    }

    /// Reads a list such as `hooks.internal:8080,[fd00::5]:443,chat.local`; throws for what is no host.
    public init(list: String, ports: Set<Int> = [443]) throws(WebhookRefusal) {
        var listed: [Listed] = []
        for part in list.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\n" }) {
            let url = try WebhookURL("http://\(part)/")
            let hasPort = part.last != "]" && part.contains(":")
            listed.append(Listed(host: url.host, port: hasPort ? url.port : nil))
        }
        self.init(listed: listed, ports: ports)
    }

    /// Lists what `GODWIT_ALERT_HOSTS` of this process says, in the form of ``init(list:ports:)``.
    ///
    /// A list that can't be read is logged and lists nothing, so it allows nothing.
    public static func ofProcess() -> DialGuard { of(ProcessInfo.processInfo.environment) }

    package static func of(_ environment: [String: String]) -> DialGuard {
        do {
            return try DialGuard(list: environment["GODWIT_ALERT_HOSTS"] ?? "")
        } catch {
            Logger.current.error(
                """
                alerts: GODWIT_ALERT_HOSTS can't be read and lists no host: \(error.reason). Write it \
                like hooks.internal:8080,chat.local
                """)
            return DialGuard()
        }
    }

    /// What can be said before a name is resolved.
    public func check(_ url: WebhookURL) throws(WebhookRefusal) {
        if isListed(url) { return }
        guard url.isTLS else {
            throw WebhookRefusal("http is for hosts that the operator listed: use https")
        }
        guard ports.contains(url.port) else {
            throw WebhookRefusal("port \(url.port) is not listed for public hosts")
        }
    }

    /// The addresses to dial. One bad address among many refuses all of them.
    public func check(
        _ url: WebhookURL, resolved addresses: [NetworkAddress]
    ) throws(WebhookRefusal) -> Target {
        try check(url)
        guard !addresses.isEmpty else { throw WebhookRefusal("\(url.host) has no address") }
        guard addresses.count <= 64 else {
            throw WebhookRefusal("\(url.host) has \(addresses.count) addresses, 64 are allowed")
        }
        let isListed = isListed(url)
        for address in addresses {
            if address.isNeverAllowed || !isListed, let refusal = address.refusal {
                let advice = address.isNeverAllowed ? "" : "; if that is meant, list the host"
                throw WebhookRefusal("\(url.host) is at \(address), and \(refusal)\(advice)")
            }
        }
        return Target(url: url, addresses: addresses)
    }

    private func isListed(_ url: WebhookURL) -> Bool {
        listed.contains {
            $0.host == url.host && ($0.port ?? (url.isTLS ? 443 : 80)) == url.port
        }
    }
}
