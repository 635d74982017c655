// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Where a service listens: `https://sqs.eu-west-1.amazonaws.com`, `http://127.0.0.1:9000`.
public struct Endpoint: Sendable, Hashable {
    public var isSecure: Bool
    public var host: String
    public var port: Int?
    /// Set by an operator; then every request goes there, whatever the region.
    public var isCustom: Bool

    /// Reads a URL of scheme, host and port alone.
    public init(_ text: String) throws(AWSError) {
        guard let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty,
            let scheme = parts.scheme?.lowercased(), scheme == "http" || scheme == "https",
            parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil,
            parts.path.isEmpty || parts.path == "/",
            parts.port.map({ (1...65535).contains($0) }) ?? true,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "@") })
        else {
            // Why not all of it: a password may stand in it.
            throw AWSError(
                .denied,
                "an endpoint can't be read: write scheme, host and port, as in https://s3.example.com "
                    + "or http://127.0.0.1:9000")
        }
        isSecure = scheme == "https"
        self.host = host.lowercased()
        port = parts.port
        isCustom = true
    }

    /// The public endpoint of a service in a region.
    public init(service: String, region: String) {
        isSecure = true
        host = "\(service).\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
        port = nil
        isCustom = false
    }

    /// As in the header `Host`: without the port that is understood.
    public var authority: String {
        guard let port, port != (isSecure ? 443 : 80) else { return host }
        return "\(host):\(port)"
    }

    public var url: String { "\(isSecure ? "https" : "http")://\(authority)" }
}

/// What a region may look like: it becomes part of a host name, and a server may have sent it.
func isRegion(_ text: String) -> Bool {
    (1...40).contains(text.utf8.count) && text.first != "-"
        && text.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
        }
}
