// SPDX-License-Identifier: Apache-2.0

/// One reply of a server that speaks RESP2 or RESP3.
///
/// Bytes are slices: all strings of one reply share the buffer they were read into, so a reply of
/// 300 bulk strings costs one copy and no allocation per string. A slice that is kept for long
/// keeps that whole buffer alive; copy it with `Array(_:)` then.
///
/// Types and their first bytes:
/// [RESP](https://redis.io/docs/latest/develop/reference/protocol-spec/). Attributes are skipped.
public enum RESPValue: Sendable {
    /// RESP3 `_`, and RESP2's `$-1` and `*-1`.
    case null
    /// `+`, a short text such as `OK`.
    case simpleString(ArraySlice<UInt8>)
    /// `-` or `!`, an error of this one command; its first word is the code.
    case error(ArraySlice<UInt8>)
    /// `:`.
    case integer(Int)
    /// `$`.
    case bulk(ArraySlice<UInt8>)
    /// `*`.
    case array([RESPValue])
    /// `%`, keys and values in turn, in the order of the wire: the shape RESP2 gives the same data.
    case map([RESPValue])
    /// `~`, in the order of the wire.
    case set([RESPValue])
    /// `,`.
    case double(Double)
    /// `#`.
    case bool(Bool)
    /// `(`, an optional minus and decimal digits.
    case bigNumber(ArraySlice<UInt8>)
    /// `=`, three letters for the format and a colon (`txt:`), then the text.
    case verbatim(ArraySlice<UInt8>)
    /// `>`, a message out of band; a connection never pairs it with a command.
    case push([RESPValue])
}

extension RESPValue {
    /// True for the null of either protocol.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The bytes of anything that is a string on the wire, without the format of a verbatim one.
    public var bytes: ArraySlice<UInt8>? {
        switch self {
        case .simpleString(let bytes), .bulk(let bytes), .bigNumber(let bytes), .error(let bytes):
            bytes
        case .verbatim(let bytes): bytes.dropFirst(4)
        default: nil
        }
    }

    /// `bytes` as text, with what is not UTF-8 replaced.
    public var string: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// A whole number, also one that came as a string, as `HGET` gives it.
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        case .simpleString, .bulk, .bigNumber: string.flatMap { Int($0) }
        default: nil
        }
    }

    /// What an array, set, push or map holds; a map gives its keys and values in turn.
    public var elements: [RESPValue]? {
        switch self {
        case .array(let elements), .map(let elements), .set(let elements), .push(let elements):
            elements
        default: nil
        }
    }

    /// The value under `key` in a map, or in an array of keys and values in turn.
    ///
    /// Looks from the front, one key after the other: for `INFO`-sized maps, not for large ones.
    public subscript(key: String) -> RESPValue? {
        guard let elements else { return nil }
        for index in stride(from: 0, to: elements.count - 1, by: 2)
        where elements[index].bytes?.elementsEqual(key.utf8) == true { return elements[index + 1] }
        return nil
    }
}

extension RESPValue: Equatable {
    /// Compares the wire's meaning; doubles by their bits, so that NaN equals itself.
    public static func == (left: RESPValue, right: RESPValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.simpleString(let a), .simpleString(let b)), (.error(let a), .error(let b)),
            (.bulk(let a), .bulk(let b)), (.bigNumber(let a), .bigNumber(let b)),
            (.verbatim(let a), .verbatim(let b)):
            a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
        case (.bool(let a), .bool(let b)): a == b
        case (.array(let a), .array(let b)), (.map(let a), .map(let b)), (.set(let a), .set(let b)),
            (.push(let a), .push(let b)):
            a == b
        default: false
        }
    }
}
