// SPDX-License-Identifier: Apache-2.0

/// A request in the one spelling that both sides hash.
struct CanonicalRequest {
    let text: String
    /// Names of the signed headers, in order, joined by `;`.
    let signedHeaders: String

    init(_ request: SigningRequest, payload: Payload, _ options: SigningOptions) {
        var values: [String: [String]] = [:]
        for field in request.headers where !Self.isLeftOut(field.name) {
            values[field.name.lowercased(), default: []].append(Self.trimmed(field.value))
        }
        let names = values.keys.sorted()
        signedHeaders = names.joined(separator: ";")
        var lines = [
            request.method, Self.path(request.path, options), PercentEncoding.query(request.query),
        ]
        lines += names.map { "\($0):\(values[$0, default: []].joined(separator: ","))" }
        lines += ["", signedHeaders, payload.text]
        text = lines.joined(separator: "\n")
    }

    /// What `X-Amz-SignedHeaders` says: it is itself part of what is signed.
    static func names(of headers: [Field]) -> String {
        Set(headers.lazy.filter { !isLeftOut($0.name) }.map { $0.name.lowercased() })
            .sorted().joined(separator: ";")
    }

    /// Proxies and clients change these on the way.
    private static func isLeftOut(_ name: String) -> Bool {
        [
            "authorization", "connection", "expect", "user-agent", "transfer-encoding",
            "x-amzn-trace-id", "accept-encoding",
        ].contains(name.lowercased())
    }

    /// Without spaces at the ends, and with one where there are several.
    private static func trimmed(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }

    private static func path(_ path: String, _ options: SigningOptions) -> String {
        let whole = path.isEmpty ? "/" : path
        let spelled = PercentEncoding.respell(options.normalizesPath ? normal(whole) : whole)
        return options.encodesTwice ? PercentEncoding.path(spelled) : spelled
    }

    /// Without `.`, `..` (RFC 3986 §5.2.4) and empty parts; a slash at the end stays.
    private static func normal(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        let joined = "/" + parts.joined(separator: "/")
        return path.hasSuffix("/") && !parts.isEmpty ? joined + "/" : joined
    }
}
