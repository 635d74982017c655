// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Values on their way into a ClickHouse query. Its oldest version has no query parameters, so this
/// is the one place where text becomes SQL.
package enum ClickHouseLiteral {
    /// The text in quotation marks: ' and \ behind a backslash, control bytes as \xNN.
    ///
    /// Nothing inside can end the literal: each ' or \ of the text is preceded by a backslash of ours.
    package static func string(_ text: String) -> String {
        var bytes: [UInt8] = [0x27]
        bytes.reserveCapacity(text.utf8.count + 2)
        for byte in text.utf8 {
            switch byte {
            case 0x27, 0x5C: bytes += [0x5C, byte]
            case 0..<0x20, 0x7F:
                bytes += [0x5C, 0x78, hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(0x27)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The name of a database: letters, digits and `_`, at most 64; nil for anything else.
    package static func database(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x5F
        }
        guard isPlain, (1...64).contains(text.utf8.count) else { return nil }
        return text
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}

/// Rows as JSON objects, one a line: ClickHouse's JSONEachRow.
struct JSONLines {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    mutating func open() {
        bytes.append(0x7B)
        isFirst = true
    }

    mutating func close() { bytes += [0x7D, 0x0A] }

    private mutating func name(_ name: StaticString) {
        if !isFirst { bytes.append(0x2C) }
        isFirst = false
        bytes.append(0x22)
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes += [0x22, 0x3A]
    }

    mutating func add(_ key: StaticString, _ value: Int64) {
        name(key)
        guard value != .min else {
            bytes += "-9223372036854775808".utf8
            return
        }
        if value < 0 { bytes.append(0x2D) }
        digits(value.magnitude)
    }

    private mutating func digits(_ value: UInt64) {
        guard value >= 10 else {
            bytes.append(0x30 + UInt8(value))
            return
        }
        let start = bytes.count
        var rest = value
        while rest > 0 {
            bytes.append(0x30 + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }

    mutating func add(_ key: StaticString, _ text: String) {
        name(key)
        bytes.append(0x22)
        var text = text
        text.withUTF8 { utf8 in
            if utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) {
                bytes.append(contentsOf: utf8)
                return
            }
            for byte in utf8 {
                switch byte {
                case 0x22, 0x5C: bytes += [0x5C, byte]
                case 0..<0x20:
                    bytes += "\\u00".utf8
                    bytes += [Self.hex[Int(byte >> 4)], Self.hex[Int(byte & 15)]]
                default: bytes.append(byte)
                }
            }
        }
        bytes.append(0x22)
    }

    /// A UUID in its 36 characters.
    mutating func add(_ key: StaticString, _ id: MessageID) {
        name(key)
        bytes.append(0x22)
        for place in 0..<16 {
            if place == 4 || place == 6 || place == 8 || place == 10 { bytes.append(0x2D) }
            let word = place < 8 ? id.high : id.low
            let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (place & 7)))
            bytes.append(Self.hex[Int(byte >> 4)])
            bytes.append(Self.hex[Int(byte & 15)])
        }
        bytes.append(0x22)
    }

    private static let hex = Array("0123456789abcdef".utf8)
}
