// SPDX-License-Identifier: Apache-2.0

/// Says what is wrong with MessagePack bytes, or with a value that can't become such bytes.
///
/// Every case begins with the place: the byte offset, and the coding path when `Codable` was at
/// work. Bytes that gave an error give the same error again, so a retry is of no use.
public enum MessagePackError: Error, Sendable {
    /// The bytes end inside a value; at least `missing` more are needed.
    case truncated(Place, missing: Int)
    /// The value is complete and `count` more bytes follow.
    case trailingBytes(Place, count: Int)
    /// The byte 0xc1, which the format never uses.
    case reservedByte(Place)
    /// A string that is not UTF-8.
    case invalidText(Place)
    /// A timestamp extension of a wrong length, or with a second or more of nanoseconds.
    case invalidTimestamp(Place, reason: String)
    /// A map that says the same key twice.
    case duplicateKey(Place, key: String)
    /// A map key that no `CodingKey` can be: neither string nor integer.
    case unsupportedKey(Place, found: MessagePackKind)
    /// More than ``MessagePackReader/depthLimit`` maps and arrays inside each other.
    case tooDeep(Place, limit: Int)
    /// Another kind of value than was asked for.
    case mismatch(Place, expected: String, found: MessagePackKind)
    /// A number that the type asked for can't hold.
    case outOfRange(Place, value: String, type: String)
    /// A map without a key that was asked for.
    case missingKey(Place, key: String)
    /// Nil, or the end of an array, where a value was asked for.
    case missingValue(Place, expected: String)
    /// A `DecodingError.dataCorrupted` of an `init(from:)`.
    case corrupt(Place, reason: String)
    /// Any other error thrown by an `init(from:)` or `encode(to:)`.
    case refused(Place, by: any Error)
    /// A value that has no MessagePack form, or an `encode(to:)` that broke the rules of `Encoder`.
    case unencodable(Place, reason: String)

    /// Where it happened.
    public struct Place: Sendable, Hashable {
        /// Bytes from the start of the input (or of the output so far) to the value in question.
        public var offset: Int
        /// Keys and indexes from the root to the value; empty without `Codable`.
        public var path: [Step]

        /// Names a byte, and the way to it.
        public init(offset: Int, path: [Step] = []) {
            self.offset = offset
            self.path = path
        }
    }

    /// One step of a coding path.
    public enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
    }

    /// Where it happened.
    public var place: Place {
        switch self {
        case .truncated(let place, _), .trailingBytes(let place, _), .reservedByte(let place),
            .invalidText(let place), .invalidTimestamp(let place, _), .duplicateKey(let place, _),
            .unsupportedKey(let place, _), .tooDeep(let place, _), .mismatch(let place, _, _),
            .outOfRange(let place, _, _), .missingKey(let place, _), .missingValue(let place, _),
            .corrupt(let place, _), .refused(let place, _), .unencodable(let place, _):
            place
        }
    }

    /// The same error, `path` steps further from the root.
    func below(_ path: [Step]) -> MessagePackError {
        var place = place
        place.path = path + place.path
        switch self {
        case .truncated(_, let missing): return .truncated(place, missing: missing)
        case .trailingBytes(_, let count): return .trailingBytes(place, count: count)
        case .reservedByte: return .reservedByte(place)
        case .invalidText: return .invalidText(place)
        case .invalidTimestamp(_, let reason): return .invalidTimestamp(place, reason: reason)
        case .duplicateKey(_, let key): return .duplicateKey(place, key: key)
        case .unsupportedKey(_, let found): return .unsupportedKey(place, found: found)
        case .tooDeep(_, let limit): return .tooDeep(place, limit: limit)
        case .mismatch(_, let expected, let found):
            return .mismatch(place, expected: expected, found: found)
        case .outOfRange(_, let value, let type):
            return .outOfRange(place, value: value, type: type)
        case .missingKey(_, let key): return .missingKey(place, key: key)
        case .missingValue(_, let expected): return .missingValue(place, expected: expected)
        case .corrupt(_, let reason): return .corrupt(place, reason: reason)
        case .refused(_, let error): return .refused(place, by: error)
        case .unencodable(_, let reason): return .unencodable(place, reason: reason)
        }
    }
}
