// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit

/// Tokens that bind a bulk verb to its preview: HMAC-SHA256 (RFC 2104) over verb, query, upper id,
/// moment and end. The key is the user's own, in a file that only they can read.
enum BulkGrant {
    /// How long a preview is good for.
    static let life = Duration.seconds(300)

    /// `upper id . moment of the preview . HMAC`
    static func make(
        _ bound: BulkBound, verb: String, query: String, key: SymmetricKey? = nil
    ) throws -> String {
        let head = "\(bound.upper).\(bound.at.milliseconds)"
        let code = HMAC<SHA256>.authenticationCode(
            for: signed(head, verb, query), using: try key ?? ownKey())
        return head + "." + code.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// - Throws: `data` for a token that is broken, of another verb or query, or too old.
    static func read(
        _ token: String, verb: String, query: String, now: Timestamp, key: SymmetricKey? = nil
    ) throws -> BulkBound {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count < 256, parts.count == 3, let upper = MessageID(String(parts[0])),
            let at = Int64(parts[1]), let code = bytes(parts[2]),
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: signed("\(parts[0]).\(parts[1])", verb, query),
                using: try key ?? ownKey())
        else {
            throw Failure(
                .data,
                """
                the token is not one for `\(verb)` with this query by this user: the verb, the \
                query or the token was changed. Nothing was done. Look again with --dry-run, which \
                prints a new one.
                """)
        }
        let moment = Timestamp(milliseconds: at)
        guard now < moment + life, moment <= now + life else {
            throw Failure(
                .data,
                """
                the token is older than \(life.brief). Nothing was done. Look again with --dry-run, \
                which prints a new one.
                """)
        }
        return BulkBound(upper: upper, at: moment)
    }

    private static func signed(_ head: String, _ verb: String, _ query: String) -> Data {
        // Why a zero byte: no part can hold one, so no two triples have one text.
        Data("godwit bulk 1\0\(head)\0\(verb)\0\(query.replacing("\0", with: ""))".utf8)
    }

    private static func bytes(_ hex: Substring) -> [UInt8]? {
        guard hex.utf8.count == 64 else { return nil }
        var out: [UInt8] = []
        var rest = hex
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            out.append(byte)
            rest = rest.dropFirst(2)
        }
        return out
    }

    /// The user's key; made at the first use.
    private static func ownKey() throws -> SymmetricKey {
        let environment = ProcessInfo.processInfo.environment
        let file = try Contexts.folder(environment).appendingPathComponent("bulk.key")
        if let data = try? Data(contentsOf: file), data.count == 32 {
            return SymmetricKey(data: data)
        }
        let key = SymmetricKey(size: .bits256)
        try SafeFile.replace(file, with: key.withUnsafeBytes { Array($0) })
        return key
    }
}
