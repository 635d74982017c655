// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit

/// Tokens that bind a bulk verb to its preview: ``BulkToken`` with HMAC-SHA256 (RFC 2104) under a key of
/// the user's own, and before it `moment-count` or `moment-count-digest` of the preview, signed along.
///
/// Why the moment too: a message that dies after the preview has an older id than one that died
/// before, and was not shown. Why the count: one with an older id may come to match since, by a
/// promote or an edit. The digest (SHA-256, its first 8 bytes) binds a preview that --limit cut.
enum BulkGrant {
    static let life = BulkToken.life

    static func make(_ bound: BulkBound, verb: String, query: Query) throws -> String {
        let head = ["\(bound.at.milliseconds)", "\(bound.matched)", bound.digest]
            .compactMap { $0 }.joined(separator: "-")
        let token = BulkToken(
            verb: signed(verb, head), query: query, upperID: bound.upper, now: bound.at)
        return head + "." + token.text(try keyedHash())
    }

    /// Of messages and their generations, whatever their order.
    static func digest(of found: [(queue: QueueName, messages: [Bulk.Seen])]) -> String {
        var hash = SHA256()
        for (queue, messages) in found {
            hash.update(data: Data("\(queue.text)\n".utf8))
            for seen in messages.sorted(by: { $0.id < $1.id }) {
                hash.update(data: Data(seen.id.bytes + [seen.generation]))
            }
        }
        return hash.finalize().prefix(8).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// - Throws: `data` for a token that is broken, of another verb or query, or too old.
    static func read(
        _ text: String, verb: String, query: Query, now: Timestamp
    ) throws -> BulkBound {
        let parts = text.prefix(8192).split(separator: ".", maxSplits: 1)
        let head = parts.first?.split(separator: "-") ?? []
        guard parts.count == 2, (2...3).contains(head.count), let at = Int64(head[0]),
            let matched = Int(head[1])
        else { throw refusal(BulkToken.Refusal.notOurs) }
        do {
            let upper = try BulkToken.check(
                String(parts[1]), verb: signed(verb, String(parts[0])), query: query, now: now,
                keyedHash())
            // Why: nobody previews in the future; such a token would live longer.
            guard Timestamp(milliseconds: at) <= now + .seconds(60) else {
                throw BulkToken.Refusal.notOurs
            }
            return BulkBound(
                upper: upper, at: Timestamp(milliseconds: at), matched: matched,
                digest: head.count == 3 ? String(head[2]) : nil)
        } catch let reason as BulkToken.Refusal {
            throw refusal(reason)
        }
    }

    private static func signed(_ verb: String, _ head: String) -> String { "\(verb) \(head)" }

    private static func refusal(_ reason: BulkToken.Refusal) -> Failure {
        let sentence =
            // Why: the head is a part of what is signed, and tells people nothing.
            if case .otherVerb = reason {
                "the token is for another verb, or was changed; preview again"
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
