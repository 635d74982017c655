// SPDX-License-Identifier: Apache-2.0
public import HTTPTypes
public import Hummingbird

/// Lets a request pass that names a host of ours and, where a token is set, has it.
///
/// Why the host: a page of another site can point its own name at 127.0.0.1 and then read what a
/// browser on this machine may read (DNS rebinding); but its requests carry its own name as `Host`.
/// They are answered with 421. A missing or wrong bearer token is answered with 401.
public struct AccessCheck<Context: RequestContext>: RouterMiddleware {
    private let hosts: Set<String>
    private let takesAddresses: Bool
    private let token: [UInt8]?

    /// `hosts` are names without a port, besides the loopback's own; an address in numbers is
    /// taken too when the server listens for others than this machine.
    public init(listeningOn address: ListenAddress, hosts: [String] = [], token: String? = nil) {
        self.hosts = Set(hosts.map { $0.lowercased() } + [address.host.lowercased()])
        takesAddresses = !address.isLoopback
        self.token = token.map { Array($0.utf8) }
    }

    public func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isOurs(request.head.authority) else {
            return .text(
                .misdirectedRequest,
                """
                this server does not answer for that host. Ask it by its address, or start it with \
                the name in its list of hosts.
                """)
        }
        if let token {
            let given = request.headers[.authorization] ?? ""
            let isBearer = given.prefix(7).lowercased() == "bearer "
            guard isBearer, Self.isSame(Array(given.dropFirst(7).utf8), token) else {
                var response = Response.text(
                    .unauthorized, "send the token as `Authorization: Bearer …`.")
                response.headers[.wwwAuthenticate] = "Bearer"
                return response
            }
        }
        return try await next(request, context)
    }

    func isOurs(_ authority: String?) -> Bool {
        guard let authority, let host = Self.host(of: authority.lowercased()) else { return false }
        if hosts.contains(host) || ListenAddress.isLoopback(host) { return true }
        return takesAddresses && (IPLiteral.isIPv4(host) || IPLiteral.isIPv6(host))
    }

    /// The host without brackets and port; nil for what is neither.
    private static func host(of authority: String) -> String? {
        var host = authority[...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            host = host[host.index(after: host.startIndex)..<end]
            return IPLiteral.isIPv6(host) ? String(host) : nil
        }
        if let colon = host.firstIndex(of: ":") { host = host[..<colon] }
        return host.isEmpty ? nil : String(host)
    }

    /// Takes as long for a wrong byte at the end as for one at the start.
    static func isSame(_ given: [UInt8], _ token: [UInt8]) -> Bool {
        var difference = given.count ^ token.count
        for (place, byte) in token.enumerated() {
            difference |= Int(byte ^ (place < given.count ? given[place] : ~byte))
        }
        return difference == 0
    }
}

extension Response {
    /// A sentence.
    static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        .bytes(status, Array("\(text)\n".utf8), "text/plain; charset=utf-8")
    }

    /// Bytes that nobody keeps, guesses about, or runs.
    static func bytes(
        _ status: HTTPResponse.Status, _ bytes: [UInt8], _ contentType: String
    ) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = contentType
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
