// SPDX-License-Identifier: Apache-2.0

/// Where a server of ours listens: an IP address or `localhost`, and a port.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// Without the brackets of an IPv6 address.
    public let host: String
    /// 0 lets the system choose.
    public let port: Int

    public static let loopback = ListenAddress(host: "127.0.0.1", port: 9464)

    private init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464` or `:9464`, which is on loopback.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.isEmpty { host = "127.0.0.1" }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard IPLiteral.isIPv6(host) else { return nil }
        } else {
            guard IPLiteral.isIPv4(host) || host == "localhost" else { return nil }
        }
        self.init(host: String(host), port: Int(port))
    }

    func with(port: Int) -> ListenAddress { ListenAddress(host: host, port: port) }

    /// Nobody from outside of this machine gets here.
    public var isLoopback: Bool { Self.isLoopback(host) }

    static func isLoopback(_ host: some StringProtocol) -> Bool {
        host == "localhost" || host == "::1" || IPLiteral.isIPv4(host) && host.hasPrefix("127.")
    }

    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// Addresses written in numbers.
enum IPLiteral {
    static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && UInt8(part) != nil
                    && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
    }

    /// By its letters only: what listens or asks there decides whether it is one.
    static func isIPv6(_ text: some StringProtocol) -> Bool {
        (2...45).contains(text.utf8.count) && text.contains(":")
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
                    || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
            }
    }
}
