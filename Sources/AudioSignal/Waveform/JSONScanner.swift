// SPDX-License-Identifier: Apache-2.0

/// Walks over one JSON object (RFC 8259) of any origin, without recursion and without a tree.
///
/// Why not Foundation's: it makes an object of each of the millions of numbers in `data`.
struct JSONScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// The whole text is one object: each key is told, and its value taken by `field`.
    mutating func object(
        _ field: (inout JSONScanner, String) throws(WaveformError) -> Void
    ) throws(WaveformError) {
        try expect("{")
        if !take("}") {
            repeat {
                let key = try string()
                try expect(":")
                try field(&self, key)
            } while take(",")
            try expect("}")
        }
        skipSpace()
        if index < bytes.count { throw fault("more text after its end") }
    }

    mutating func integer() throws(WaveformError) -> Int {
        skipSpace()
        let negative = take("-")
        var value = 0
        var digits = 0
        while let digit = peek, digit >= 0x30, digit <= 0x39 {
            let (product, tooMuch) = value.multipliedReportingOverflow(by: 10)
            let (sum, tooLarge) = product.addingReportingOverflow(Int(digit - 0x30))
            guard !tooMuch, !tooLarge else { throw fault("a number that is too large") }
            (value, digits, index) = (sum, digits + 1, index + 1)
        }
        guard digits > 0 else { throw fault("no whole number where one belongs") }
        if let next = peek, next == UInt8(ascii: ".") || next | 0x20 == UInt8(ascii: "e") {
            throw fault("a number with a fraction where a whole one belongs")
        }
        return negative ? -value : value
    }

    /// An array of 16-bit integers.
    mutating func row() throws(WaveformError) -> PairStorage {
        var row = PairStorage()
        try expect("[")
        if take("]") { return row }
        repeat {
            guard let value = Int16(exactly: try integer()) else {
                throw fault("a value of more than 16 bits")
            }
            row.append(value)
        } while take(",")
        try expect("]")
        return row
    }

    /// Passes over a value of any kind.
    mutating func skip() throws(WaveformError) {
        var depth = 0
        repeat {
            skipSpace()
            switch peek {
            case UInt8(ascii: "\""): _ = try string()
            case UInt8(ascii: "{"), UInt8(ascii: "["): (depth, index) = (depth + 1, index + 1)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { throw fault("no value where one belongs") }
                (depth, index) = (depth - 1, index + 1)
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw fault("no value where one belongs") }
                index += 1
            case nil: throw fault("its end")
            default:
                let start = index
                while let byte = peek, byte > 0x2A, byte != 0x2C, byte != 0x3A, byte < 0x7B,
                    byte != 0x5B, byte != 0x5D
                {
                    index += 1
                }
                if index == start { throw fault("no value where one belongs") }
            }
        } while depth > 0
    }

    /// The text between quotes as it stands there, escapes included.
    private mutating func string() throws(WaveformError) -> String {
        try expect("\"")
        let start = index
        while let byte = peek {
            if byte == UInt8(ascii: "\"") {
                index += 1
                return String(decoding: bytes[start..<index - 1], as: UTF8.self)
            }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        throw fault("its end inside a text")
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = peek, Self.isSpace(byte) { index += 1 }
    }

    private mutating func take(_ sign: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: sign) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ sign: Unicode.Scalar) throws(WaveformError) {
        guard take(sign) else {
            throw fault(index < bytes.count ? "no \"\(sign)\" where one belongs" : "its end")
        }
    }

    private func fault(_ found: String) -> WaveformError {
        .file(
            "the JSON of the waveform has \(found), at byte \(min(index, bytes.count)): "
                + "it was cut off or is no waveform, make it anew")
    }
}
