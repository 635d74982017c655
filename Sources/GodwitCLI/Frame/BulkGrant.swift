// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit

/// Tokens that bind a bulk verb to its preview: ``BulkToken`` with HMAC-SHA256 (RFC 2104) under a key of
/// the user's own, and before it the moment of the preview, which is signed along.
///
/// Why the moment too: a message that dies after the preview has an older id than one that died
/// before, and was not shown.
enum BulkGrant {
    static let life = BulkToken.life

    static func make(_ bound: BulkBound, verb: String, query: Query) throws -> String {
        let at = bound.at.milliseconds
        let token = BulkToken(
            verb: signed(verb, at), query: query, upperID: bound.upper, now: bound.at)
        return "\(at)." + token.text(try keyedHash())
    }

    /// - Throws: `data` for a token that is broken, of another verb or query, or too old.
    static func read(
        _ text: String, verb: String, query: Query, now: Timestamp
    ) throws -> BulkBound {
        let parts = text.prefix(8192).split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let at = Int64(parts[0]) else {
            throw refusal(BulkToken.Refusal.notOurs)
        }
        do {
            let upper = try BulkToken.check(
                String(parts[1]), verb: signed(verb, at), query: query, now: now, keyedHash())
            // Why: nobody previews in the future; such a token would live longer.
            guard Timestamp(milliseconds: at) <= now + .seconds(60) else {
                throw BulkToken.Refusal.notOurs
            }
            return BulkBound(upper: upper, at: Timestamp(milliseconds: at))
        } catch let reason as BulkToken.Refusal {
            throw refusal(reason)
        }
    }

    private static func signed(_ verb: String, _ at: Int64) -> String { "\(verb) \(at)" }

    private static func refusal(_ reason: BulkToken.Refusal) -> Failure {
        let sentence =
            // Why: the moment is a part of what is signed, and tells people nothing.
            if case .otherVerb = reason {
                "the token is for another verb; preview again"
            } else {
                "\(reason)"
            }
        return Failure(
            .data, "--token: \(sentence) with --dry-run, which prints a new one. Nothing was done.")
    }

    private static func keyedHash() throws -> BulkToken.KeyedHash {
        let key = try ownKey()
        return { bytes in Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key)) }
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
