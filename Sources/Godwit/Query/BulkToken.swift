// SPDX-License-Identifier: Apache-2.0

/// What binds a bulk act to its preview: the verb, the query and the newest message that was shown.
///
/// `open` makes no secret of it, `seal` proves that it was made here: the act is done only with the
/// very query that was previewed, within five minutes, and touches nothing with a later id. The core
/// has no cryptography, so the keyed hash is the caller's: HMAC-SHA256 (RFC 2104), 32 bytes.
public struct BulkToken: Sendable, Hashable {
    public typealias KeyedHash = @Sendable ([UInt8]) -> [UInt8]

    /// How long a preview is good for.
    public static let life = Duration.seconds(300)

    /// What is done to each message, such as `redrive`.
    public var verb: String
    /// In its canonical form.
    public var query: String
    /// Nothing with a greater id is touched.
    public var upperID: MessageID
    public var expiresAt: Timestamp

    public init(verb: String, query: Query, upperID: MessageID, now: Timestamp) {
        self.verb = verb
        self.query = query.description
        self.upperID = upperID
        expiresAt = now + Self.life
    }

    /// Why an act was refused, for the one who asked for it.
    public enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// It is cut, changed, or made with another key.
        case notOurs
        case expired(at: Timestamp)
        case otherVerb(previewed: String)
        case otherQuery(previewed: String)

        public var description: String {
            switch self {
            case .notOurs:
                "the token was not made by this program, or a part of it is missing; preview again"
            case .expired(let moment):
                "the preview is too old: it was good until "
                    + "\(moment.shortISO8601 ?? "\(moment.milliseconds)"); preview again"
            case .otherVerb(let verb):
                "the token is for `\(verb.escapedForDisplay)` and nothing else; preview again"
            case .otherQuery(let query):
                "the token is for the query `\(query.escapedForDisplay)`, not for this one; "
                    + "preview again"
            }
        }
    }

    /// The token as text of `A–Z a–z 0–9 - _` and one point (base64url, RFC 4648 §5).
    public func text(_ hash: KeyedHash) -> String {
        let bytes = bytes
        return Base64URL.text(bytes) + "." + Base64URL.text(hash(bytes))
    }

    /// The upper id of the preview, when the token is for this verb and this query and not too old.
    public static func check(
        _ text: String, verb: String, query: Query, now: Timestamp, _ hash: KeyedHash
    ) throws(Refusal) -> MessageID {
        let parts = text.utf8.prefix(8192).split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let bytes = Base64URL.bytes(parts[0]),
            let seal = Base64URL.bytes(parts[1]), isSame(seal, hash(bytes)),
            let token = BulkToken(bytes)
        else { throw .notOurs }
        if now >= token.expiresAt { throw .expired(at: token.expiresAt) }
        if !token.verb.utf8.elementsEqual(verb.utf8) { throw .otherVerb(previewed: token.verb) }
        if !token.query.utf8.elementsEqual(query.description.utf8) {
            throw .otherQuery(previewed: token.query)
        }
        return token.upperID
    }

    // MARK: Bytes

    // version 1 | upper id 16 | expiry 8 | length of the verb 1 | verb | query
    private var bytes: [UInt8] {
        let verb = verb.utf8.prefix(255)
        var bytes: [UInt8] = [1]
        bytes += upperID.bytes
        let moment = UInt64(bitPattern: expiresAt.milliseconds)
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: moment >> UInt64(shift)))
        }
        bytes.append(UInt8(verb.count))
        bytes += verb
        bytes += query.utf8
        return bytes
    }

    private init?(_ bytes: [UInt8]) {
        guard bytes.count >= 26, bytes[0] == 1, let id = MessageID(bytes: bytes[1..<17]) else {
            return nil
        }
        let end = 26 + Int(bytes[25])
        guard bytes.count >= end else { return nil }
        upperID = id
        expiresAt = Timestamp(
            milliseconds: Int64(
                bitPattern: bytes[17..<25].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
        verb = String(decoding: bytes[26..<end], as: UTF8.self)
        query = String(decoding: bytes[end...], as: UTF8.self)
    }

    /// In a time that tells nothing of where they differ.
    private static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count, !left.isEmpty else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// base64url without padding, RFC 4648 §5; only the shortest form of bytes is read.
enum Base64URL {
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                out.append(letters[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { out.append(letters[Int(bits << UInt32(6 - count)) & 63]) }
        return String(decoding: out, as: UTF8.self)
    }

    static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for letter in text {
            guard let value = letters.firstIndex(of: letter) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return out
    }
}
