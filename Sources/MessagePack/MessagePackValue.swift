// SPDX-License-Identifier: Apache-2.0

/// Any MessagePack value, for bytes whose shape is not known beforehand.
///
/// Two values are equal exactly when they encode to the same bytes: strings are compared as UTF-8,
/// floats by their bits, and `.int(1)` equals `.uint(1)`.
public enum MessagePackValue: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Reading gives this case only above `Int64.max`.
    case uint(UInt64)
    case float(Float)
    case double(Double)
    case string(String)
    case binary([UInt8])
    case array([MessagePackValue])
    /// The entries in the order of the bytes.
    case map([Entry])
    case timestamp(MessagePackTimestamp)
    case `extension`(MessagePackExtension)

    /// One key of a map with its value.
    public struct Entry: Sendable, Hashable {
        /// Any value may be a key.
        public var key: MessagePackValue
        /// The value under that key.
        public var value: MessagePackValue

        /// Pairs a key with its value.
        public init(_ key: MessagePackValue, _ value: MessagePackValue) {
            self.key = key
            self.value = value
        }
    }

    /// The value under a string key of a map; nil when there is none, or this is no map.
    public subscript(key: String) -> MessagePackValue? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { $0.key == .string(key) }?.value
    }

    /// The value at a position of an array; nil when there is none, or this is no array.
    public subscript(index: Int) -> MessagePackValue? {
        guard case .array(let values) = self, values.indices.contains(index) else { return nil }
        return values[index]
    }

    /// The timestamp that an extension of type -1 stands for, if it is a valid one.
    var normalised: MessagePackValue {
        switch self {
        case .uint(let value): Int64(exactly: value).map { .int($0) } ?? self
        case .extension(let value) where value.type == -1:
            value.bytes.withUnsafeBytes {
                (try? MessagePackReader.timestamp($0, at: 0)).map { .timestamp($0) } ?? self
            }
        default: self
        }
    }
}

extension MessagePackValue: Hashable {
    /// Compares what would be written.
    public static func == (left: MessagePackValue, right: MessagePackValue) -> Bool {
        switch (left.normalised, right.normalised) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.uint(let left), .uint(let right)): left == right
        case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.binary(let left), .binary(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.map(let left), .map(let right)): left == right
        case (.timestamp(let left), .timestamp(let right)): left == right
        case (.extension(let left), .extension(let right)): left == right
        default: false
        }
    }

    /// Feeds what would be written, so that equal values hash alike.
    public func hash(into hasher: inout Hasher) {
        switch normalised {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .uint(let value): hasher.combine(value)
        case .float(let value): hasher.combine(value.bitPattern)
        case .double(let value): hasher.combine(value.bitPattern)
        case .string(let value):
            for byte in value.utf8 { hasher.combine(byte) }
        case .binary(let value): hasher.combine(value)
        case .array(let value): hasher.combine(value)
        case .map(let value): hasher.combine(value)
        case .timestamp(let value): hasher.combine(value)
        case .extension(let value): hasher.combine(value)
        }
    }
}

extension MessagePackValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Nil.
    public init(nilLiteral: ()) { self = .null }
    /// A bool.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A float64.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An array.
    public init(arrayLiteral elements: MessagePackValue...) { self = .array(elements) }
    /// A map, in the order written.
    public init(dictionaryLiteral elements: (MessagePackValue, MessagePackValue)...) {
        self = .map(elements.map { Entry($0, $1) })
    }
}
