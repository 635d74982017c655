// SPDX-License-Identifier: Apache-2.0

/// Where a server is and who we are there.
///
///     redis://[user:password@]host[:6379][/db][?…]      TCP; a password only to this very machine
///     rediss://[user:password@]host[:6379][/db][?ca-file=/path.pem]      TLS, the name is checked
///     redis+unix://[user:password@]/path[?db=N]         Unix socket
///
/// `password-file=/path` names a file that holds the password; any other query item is left to the
/// caller in `options`. Printing a URL never shows the password.
public struct RedisURL: Sendable, Hashable {
    /// How to reach the server.
    public enum Address: Sendable, Hashable {
        /// Plain TCP.
        case tcp(host: String, port: Int)
        /// TLS over TCP; the certificate must name the host.
        case tls(host: String, port: Int)
        /// A Unix socket.
        case unix(path: String)
    }

    /// How to reach the server.
    public var address: Address
    /// The ACL user; nil means `default`.
    public var user: String?
    /// The password, when one is known.
    public var password: Secret?
    /// The database for SELECT.
    public var database: Int
    /// Query items that mean nothing here, such as `ns`; of a repeated one the last counts.
    public var options: [String: String]
    /// A file that holds the password.
    public var passwordFile: String?
    /// A PEM file with the authorities to trust in place of the system's.
    public var authorityFile: String?

    /// Names a server without credentials.
    public init(_ address: Address, database: Int = 0) {
        self.address = address
        self.database = database
        options = [:]
    }
}

extension RedisURL: CustomStringConvertible, CustomDebugStringConvertible {
    /// The URL without user, password and query.
    public var description: String {
        switch address {
        case .tcp: "redis://\(server)/\(database)"
        case .tls: "rediss://\(server)/\(database)"
        case .unix: "redis+unix://\(server)?db=\(database)"
        }
    }

    /// The same.
    public var debugDescription: String { description }

    /// Host and port, or path: how errors name the server.
    public var server: String {
        switch address {
        case .tcp(let host, let port), .tls(let host, let port):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}

extension RedisURL {
    /// True when bytes to this address cannot be read on a network.
    var isPrivate: Bool {
        switch address {
        case .tls, .unix: true
        case .tcp(let host, _): Self.isLoopback(host)
        }
    }

    /// Only literal addresses and `localhost`: what another name resolves to may change.
    private static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased()
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
