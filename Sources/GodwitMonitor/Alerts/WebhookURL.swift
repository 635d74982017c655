// SPDX-License-Identifier: Apache-2.0

/// The address of a webhook, read strictly. It is a secret: whoever has it may post there.
///
/// Only what every reader of URLs understands alike is let in, so that the host that was checked is
/// the host that is dialled: `http(s)://host[:port]/path?query`, printable ASCII, no user, no fragment.
public struct WebhookURL: Sendable, Hashable {
    public let isTLS: Bool
    /// In lower case; an IPv6 address without its brackets.
    public let host: String
    public let port: Int
    /// Path and query, beginning with a slash.
    public let target: String
    /// The host, when it is an address.
    public let address: NetworkAddress?

    /// Throws ``WebhookRefusal`` with what is wrong, without the text itself.
    public init(_ text: String) throws(WebhookRefusal) {
        guard text.utf8.count <= 2048 else { throw WebhookRefusal("the URL is over 2,048 bytes") }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw WebhookRefusal(
                "the URL holds a space, a control byte or a letter outside ASCII: write such a host as xn--…")
        }
        if text.utf8.contains(where: { "\\\"<>^`{|}#".utf8.contains($0) }) {
            throw WebhookRefusal("the URL holds one of \\ \" < > ^ ` { | } #")
        }
        let rest: Substring
        if text.lowercased().hasPrefix("https://") {
            isTLS = true
            rest = text.dropFirst(8)
        } else if text.lowercased().hasPrefix("http://") {
            isTLS = false
            rest = text.dropFirst(7)
        } else {
            throw WebhookRefusal("the URL does not begin with https://")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        if authority.contains("@") { throw WebhookRefusal("the URL holds a user (…@host)") }
        let tail = String(rest[end...])
        target = tail.hasPrefix("/") ? tail : "/" + tail

        let portText: Substring
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]"),
                let address = NetworkAddress(String(authority[..<close].dropFirst())), address.isIPv6
            else { throw WebhookRefusal("what stands between the brackets is no IPv6 address") }
            self.address = address
            host = address.description
            portText = authority[authority.index(after: close)...]
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            let name = String(authority[..<colon]).lowercased()
            address = NetworkAddress(name)
            if address == nil { try Self.check(name) }
            host = name
            portText = authority[colon...]
        }
        if portText.isEmpty {
            port = isTLS ? 443 : 80
        } else {
            let digits = portText.dropFirst()
            guard portText.first == ":", (1...5).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65535).contains(number)
            else { throw WebhookRefusal("the port is none") }
            port = number
        }
    }

    /// The URL to send to, made of the parts that were checked. A secret.
    package var text: String {
        let shownHost = address?.isIPv6 == true ? "[\(host)]" : host
        return "\(isTLS ? "https" : "http")://\(shownHost):\(port)\(target)"
    }

    private static func check(_ name: String) throws(WebhookRefusal) {
        guard (1...253).contains(name.utf8.count) else {
            throw WebhookRefusal("the host is empty or over 253 bytes")
        }
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            let isPlain = label.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F
            }
            guard (1...63).contains(label.count), isPlain, label.first != 0x2D, label.last != 0x2D
            else { throw WebhookRefusal("the host is no name: use letters, digits, - and single dots") }
        }
        // Why: resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses (WHATWG URL §3.5).
        let last = labels[labels.count - 1]
        if last.allSatisfy({ (0x30...0x39).contains($0) }) || last.starts(with: "0x".utf8) {
            throw WebhookRefusal("the host ends in a number and is no plain IPv4 address")
        }
    }
}

extension WebhookURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Host and the last four characters: enough to know it, too little to use it.
    public var description: String { "\(host)/…\(target.utf8.count < 12 ? "" : String(target.suffix(4)))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

/// Why a webhook is not dialled. It will be refused again: nothing was sent.
public struct WebhookRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) { self.reason = reason }

    public var description: String { reason }
}
