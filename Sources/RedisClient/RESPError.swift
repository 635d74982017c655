// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not a reply. After one the stream has no known next boundary: close the connection.
public enum RESPError: Error, Sendable, Equatable {
    /// A reply begins with a byte that names no type.
    case unknownType(UInt8)
    /// A length or count is not plain decimal: a sign, a leading zero, a stray byte, or a negative
    /// one other than the null of RESP2.
    case badLength
    /// An integer, double, boolean, null or big number is not written as its type asks.
    case badScalar
    /// A line or string does not end in CR LF, or a verbatim string has no format.
    case badEnd
    /// A line or string is longer than the limit in bytes.
    case tooLong(limit: Int)
    /// A reply takes more bytes than the limit, all its strings together.
    case tooLarge(limit: Int)
    /// A reply holds more values than the limit.
    case tooMany(limit: Int)
    /// Aggregates are nested deeper than the limit.
    case tooDeep(limit: Int)
}

extension RESPError: CustomStringConvertible {
    /// What is wrong with the bytes.
    public var description: String {
        switch self {
        case .unknownType(let byte): "a reply begins with byte \(byte), which names no RESP type"
        case .badLength: "a length is not plain decimal digits"
        case .badScalar: "a number, boolean or null is malformed"
        case .badEnd: "a line or string does not end in CR LF"
        case .tooLong(let limit): "a line or string is longer than the limit of \(limit) bytes"
        case .tooLarge(let limit): "a reply is larger than the limit of \(limit) bytes"
        case .tooMany(let limit): "a reply holds more values than the limit of \(limit)"
        case .tooDeep(let limit): "a reply is nested deeper than the limit of \(limit)"
        }
    }
}
