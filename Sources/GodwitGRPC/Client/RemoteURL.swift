// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

/// Where a door stands: `grpc://host:port`, or `grpcs://host:port` with TLS.
///
/// Further, as a query: `ca=FILE` (whose certificates are taken, else the system's), `cert=FILE` and
/// `key=FILE` (the client's own, mTLS), `token-file=FILE`, and `plaintext=yes`, without which `grpc://`
/// goes to loopback only. It never holds a secret itself. Its description leaves the query out.
public struct RemoteURL: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address, without brackets.
    public let host: String
    public let port: Int
    public let isSecure: Bool
    public let authorities: String?
    public let certificate: String?
    public let key: String?
    public let tokenFile: String?

    public static let standardPort = 50051

    /// Reads it; throws what is wrong as a sentence, without what may be a secret.
    public init(_ text: String) throws(RemoteURLError) {
        let rest: Substring
        if text.hasPrefix("grpcs://") {
            isSecure = true
            rest = text.dropFirst(8)
        } else if text.hasPrefix("grpc://") {
            isSecure = false
            rest = text.dropFirst(7)
        } else {
            throw RemoteURLError("it starts with neither grpc:// nor grpcs://")
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var place = parts.first ?? ""
        if place.hasSuffix("/") { place.removeLast() }
        if place.contains("@") { throw .secret }
        (host, port) = try Self.place(place)
        var query: [String: String] = [:]
        for item in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pair[0])
            if ["token", "password", "secret", "auth"].contains(name.lowercased()) {
                throw .secret
            }
            guard Self.names.contains(name), query[name] == nil else {
                throw RemoteURLError(
                    "it says '\(String(name.prefix(40)).escapedForDisplay)', which is unknown or there twice"
                )
            }
            guard pair.count == 2, let value = String(pair[1]).removingPercentEncoding,
                !value.isEmpty, !value.contains("\0")
            else { throw RemoteURLError("'\(name)' has no value that can be read") }
            query[name] = value
        }
        authorities = query["ca"]
        certificate = query["cert"]
        key = query["key"]
        tokenFile = query["token-file"]
        if (certificate == nil) != (key == nil) {
            throw RemoteURLError("a client's certificate needs both cert= and key=")
        }
        if !isSecure, authorities != nil || certificate != nil {
            throw RemoteURLError("ca=, cert= and key= are for grpcs://")
        }
        if let plaintext = query["plaintext"], plaintext != "yes" || isSecure {
            throw RemoteURLError("plaintext= can only be yes, and only with grpc://")
        }
        if !isSecure, query["plaintext"] == nil, host != "localhost", Loopback.holds(host) != true {
            throw RemoteURLError(
                """
                grpc:// to another machine sends tokens and messages readable by those between: use \
                grpcs://, or add ?plaintext=yes where the way is safe
                """)
        }
    }

    /// The same without its query, for texts.
    public var description: String {
        "\(isSecure ? "grpcs" : "grpc")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    private static let names: Set<String> = ["ca", "cert", "key", "token-file", "plaintext"]

    private static func place(_ text: Substring) throws(RemoteURLError) -> (String, Int) {
        var host = text
        var port = standardPort
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw RemoteURLError("the address in brackets has no end")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if rest.hasPrefix(":") {
                digits = rest.dropFirst()
            } else if !rest.isEmpty {
                throw RemoteURLError("something stands behind the address in brackets")
            }
            guard host.contains(":"), Loopback.holds(String(host)) != nil else {
                throw RemoteURLError("what stands in brackets is no IPv6 address")
            }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            digits = text[text.index(after: colon)...]
        }
        if let digits {
            guard (1...5).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits),
                number > 0
            else { throw RemoteURLError("its port is no number from 1 to 65535") }
            port = Int(number)
        }
        let isName =
            text.hasPrefix("[")
            || (1...253).contains(host.utf8.count)
                && host.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                        || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: ".")
                        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                }
        guard isName else { throw RemoteURLError("its host is neither a name nor an address") }
        return (String(host), port)
    }
}

/// Says what is wrong with a ``RemoteURL``.
public struct RemoteURLError: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String
    /// A secret stands in it; nobody should see it again.
    public let holdsSecret: Bool

    init(_ reason: String, holdsSecret: Bool = false) {
        self.reason = reason
        self.holdsSecret = holdsSecret
    }

    static let secret = RemoteURLError(
        "it holds a user, a password or a token", holdsSecret: true)

    public var description: String {
        """
        the URL can't be used: \(reason). Write grpc://127.0.0.1:50051, or \
        grpcs://host:port?ca=FILE&token-file=FILE; a token goes into GODWIT_TOKEN or the file.
        """
    }
}
