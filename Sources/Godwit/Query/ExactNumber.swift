// SPDX-License-Identifier: Apache-2.0

/// A decimal number of any size, compared digit by digit: 9007199254740993 is not 9007199254740992.
package struct ExactNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
    // The value is ±0.DIGITS × 10^point, without zeros at either end of the digits; zero has none.
    private let isNegative: Bool
    private let digits: [UInt8]
    private let point: Int

    /// The most bytes that are read as a number, and the largest exponent.
    private static let limit = 512
    private static let greatestExponent = 100_000

    package init(_ value: Int) { self.init(integer: String(value).utf8) }
    package init(_ value: Int64) { self.init(integer: String(value).utf8) }
    package init(_ value: UInt64) { self.init(integer: String(value).utf8) }

    /// The shortest decimal that is this double; nil for infinities and NaN.
    package init?(_ value: Double) {
        guard value.isFinite else { return nil }
        self.init(ascii: "\(value)".utf8)
    }

    private init(integer text: some Collection<UInt8>) {
        self.init(
            isNegative: text.first == UInt8(ascii: "-"),
            digits: text.filter { $0 != UInt8(ascii: "-") }, exponent: 0)
    }

    private init(isNegative: Bool, digits all: [UInt8], exponent: Int) {
        let zero = UInt8(ascii: "0")
        let start = all.firstIndex { $0 != zero } ?? all.endIndex
        let end = (all.lastIndex { $0 != zero } ?? all.startIndex - 1) + 1
        digits = start < end ? Array(all[start..<end]) : []
        point = digits.isEmpty ? 0 : all.count - start + exponent
        self.isNegative = isNegative && !digits.isEmpty
    }

    /// Reads `-12.50e3`; nil for anything else. Zeros in front are allowed.
    package init?(ascii text: some Collection<UInt8>) {
        guard text.count <= Self.limit else { return nil }
        var rest = text[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        var digits: [UInt8] = []
        var exponent = 0
        while let byte = rest.first, Self.isDigit(byte) {
            digits.append(byte)
            rest = rest.dropFirst()
        }
        guard !digits.isEmpty else { return nil }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let whole = digits.count
            while let byte = rest.first, Self.isDigit(byte) {
                digits.append(byte)
                rest = rest.dropFirst()
            }
            guard digits.count > whole else { return nil }
            exponent = whole - digits.count
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            let isDown = rest.first == UInt8(ascii: "-")
            if isDown || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            guard !rest.isEmpty else { return nil }
            var power = 0
            while let byte = rest.first, Self.isDigit(byte) {
                power = power * 10 + Int(byte - UInt8(ascii: "0"))
                if power > Self.greatestExponent { return nil }
                rest = rest.dropFirst()
            }
            exponent += isDown ? -power : power
        }
        guard rest.isEmpty else { return nil }
        self.init(isNegative: isNegative, digits: digits, exponent: exponent)
    }

    package init?(_ text: String) { self.init(ascii: text.utf8) }

    package static func < (left: ExactNumber, right: ExactNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative
            ? isSmaller(right, left) : isSmaller(left, right)
    }

    private static func isSmaller(_ left: ExactNumber, _ right: ExactNumber) -> Bool {
        if left.digits.isEmpty || right.digits.isEmpty {
            return left.digits.isEmpty && !right.digits.isEmpty
        }
        if left.point != right.point { return left.point < right.point }
        return left.digits.lexicographicallyPrecedes(right.digits)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// The shorter of `1500` and `15e2`, never longer than any other way to write it.
    package var description: String {
        if digits.isEmpty { return "0" }
        let sign = isNegative ? "-" : ""
        let text = String(decoding: digits, as: UTF8.self)
        let exponent = point - digits.count
        let scientific = exponent == 0 ? text : "\(text)e\(exponent)"
        let length =
            point <= 0
            ? 2 - point + digits.count : max(point, digits.count + (exponent < 0 ? 1 : 0))
        guard length <= scientific.utf8.count else { return sign + scientific }
        if exponent >= 0 { return sign + text + String(repeating: "0", count: exponent) }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + text }
        return sign + String(text.prefix(point)) + "." + String(text.dropFirst(point))
    }
}
