// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation

/// Checks Signature Version 4 from the bytes of a request, as a service does.
///
/// Why nothing of the library: what both sides get wrong in the same way would pass.
struct SignatureCheck {
    /// Secret and session token by access key.
    var accounts: [String: (secret: String, token: String?)]
    var region: String
    var service: String
    var now: Date

    struct Refusal: Error {
        var status = 403
        var code: String
        var region: String?
    }

    func check(_ request: LoopbackServer.Request) throws(Refusal) {
        var given: [String: String] = [:]
        for pair in Self.pairs(request.rawQuery) { given[pair.0] = pair.1 }
        if given["X-Amz-Algorithm"] != nil {
            try checkQuery(request, given)
        } else {
            try checkHeader(request)
        }
    }

    private func checkHeader(_ request: LoopbackServer.Request) throws(Refusal) {
        guard let text = request.header("authorization"), text.hasPrefix("AWS4-HMAC-SHA256 ")
        else { throw Refusal(code: "AccessDenied") }
        var words: [Substring: Substring] = [:]
        for word in text.dropFirst(17).split(separator: ",") {
            let halves = word.trimmingPrefix(while: { $0 == " " }).split(
                separator: "=", maxSplits: 1)
            if halves.count == 2 { words[halves[0]] = halves[1] }
        }
        guard let credential = words["Credential"], let names = words["SignedHeaders"],
            let signature = words["Signature"], let date = request.header("x-amz-date")
        else { throw Refusal(status: 400, code: "AuthorizationHeaderMalformed") }
        let time = try self.time(date)
        guard abs(time.timeIntervalSince(now)) <= 900 else {
            throw Refusal(code: "RequestTimeTooSkewed")
        }
        var hash = request.header("x-amz-content-sha256") ?? ""
        let real = Self.hex(SHA256.hash(data: request.body))
        if service != "s3" { hash = real }
        guard hash == real || hash == "UNSIGNED-PAYLOAD" else {
            throw Refusal(status: 400, code: "XAmzContentSHA256Mismatch")
        }
        try finish(
            request, String(credential), String(names), String(signature), date, hash,
            Self.pairs(request.rawQuery), token: request.header("x-amz-security-token"))
    }

    private func checkQuery(
        _ request: LoopbackServer.Request, _ given: [String: String]
    ) throws(Refusal) {
        guard let credential = given["X-Amz-Credential"], let date = given["X-Amz-Date"],
            let names = given["X-Amz-SignedHeaders"], let signature = given["X-Amz-Signature"],
            let seconds = given["X-Amz-Expires"].flatMap(Double.init), seconds <= 604_800
        else { throw Refusal(status: 400, code: "AuthorizationQueryParametersError") }
        let time = try self.time(date)
        guard now <= time.addingTimeInterval(seconds), now >= time.addingTimeInterval(-900) else {
            throw Refusal(code: "AccessDenied")
        }
        let pairs = Self.pairs(request.rawQuery).filter { $0.0 != "X-Amz-Signature" }
        try finish(
            request, credential, names, signature, date, "UNSIGNED-PAYLOAD", pairs,
            token: given["X-Amz-Security-Token"])
    }

    private func finish(
        _ request: LoopbackServer.Request, _ credential: String, _ names: String,
        _ signature: String, _ date: String, _ hash: String, _ query: [(String, String)],
        token: String?
    ) throws(Refusal) {
        let scope = credential.split(separator: "/").map(String.init)
        guard scope.count == 5, scope[4] == "aws4_request", scope[3] == service,
            scope[1] == String(date.prefix(8))
        else { throw Refusal(status: 400, code: "AuthorizationHeaderMalformed") }
        guard scope[2] == region else {
            throw Refusal(
                status: 400, code: "AuthorizationHeaderMalformed", region: region)
        }
        guard let account = accounts[scope[0]] else { throw Refusal(code: "InvalidAccessKeyId") }
        guard account.token == token else { throw Refusal(status: 400, code: "ExpiredToken") }
        let signed = names.split(separator: ";").map(String.init)
        let must = request.headers.map { $0.name.lowercased() }
            .filter { $0.hasPrefix("x-amz-") || $0 == "content-md5" || $0 == "host" }
        guard signed.contains("host"), must.allSatisfy(signed.contains), signed == signed.sorted()
        else { throw Refusal(code: "SignatureDoesNotMatch") }

        var canonical = request.method + "\n" + canonicalPath(request.path) + "\n"
        var words: [[String]] = query.map { [Self.encode($0.0), Self.encode($0.1)] }
        words.sort { $0.lexicographicallyPrecedes($1) }
        canonical += words.map { $0.joined(separator: "=") }.joined(separator: "&")
        canonical += "\n"
        for name in signed {
            let values = request.headers.filter { $0.name.lowercased() == name }.map {
                $0.value.split(separator: " ").joined(separator: " ")
            }
            guard !values.isEmpty else { throw Refusal(code: "SignatureDoesNotMatch") }
            canonical += name + ":" + values.joined(separator: ",") + "\n"
        }
        canonical += "\n" + names + "\n" + hash
        let text = [
            "AWS4-HMAC-SHA256", date, scope[1...].joined(separator: "/"),
            Self.hex(SHA256.hash(data: Array(canonical.utf8))),
        ].joined(separator: "\n")
        var key = SymmetricKey(data: Array(("AWS4" + account.secret).utf8))
        for word in scope[1...] {
            let code = HMAC<SHA256>.authenticationCode(for: Array(word.utf8), using: key)
            key = SymmetricKey(data: Array(code))
        }
        let wanted = Self.hex(
            HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        guard wanted == signature else { throw Refusal(code: "SignatureDoesNotMatch") }
    }

    private func canonicalPath(_ path: Substring) -> String {
        guard service == "s3" else {
            return path.split(separator: "/", omittingEmptySubsequences: false)
                .map { Self.encode(Self.encode(Self.decode($0))) }.joined(separator: "/")
        }
        return path.split(separator: "/", omittingEmptySubsequences: false)
            .map { Self.encode(Self.decode($0)) }.joined(separator: "/")
    }

    private func time(_ text: String) throws(Refusal) -> Date {
        let reader = DateFormatter()
        reader.locale = Locale(identifier: "en_US_POSIX")
        reader.timeZone = TimeZone(identifier: "UTC")
        reader.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        guard let date = reader.date(from: text) else { throw Refusal(code: "AccessDenied") }
        return date
    }

    static func pairs(_ query: Substring) -> [(String, String)] {
        query.split(separator: "&").map {
            let halves = $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decode(halves[0]), halves.count > 1 ? decode(halves[1]) : "")
        }
    }

    static func decode(_ text: some StringProtocol) -> String {
        String(text).removingPercentEncoding ?? "\u{fffd}"
    }

    static func encode(_ text: String) -> String {
        let plain = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }
}
