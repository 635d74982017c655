// SPDX-License-Identifier: Apache-2.0

/// Writes JSON by hand into one buffer: fields in the order of the calls, one number format.
package struct JSONWriter {
    package var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    package mutating func open(_ bracket: Character = "{") {
        separate()
        bytes.append(bracket == "{" ? 0x7B : 0x5B)
        needsComma = false
    }

    package mutating func close(_ bracket: Character = "}") {
        bytes.append(bracket == "}" ? 0x7D : 0x5D)
        needsComma = true
    }

    package mutating func name(_ name: String) {
        separate()
        quote(name)
        bytes.append(0x3A)
        needsComma = false
    }

    package mutating func field(_ name: String, _ value: String?) {
        guard let value else { return }
        self.name(name)
        self.value(value)
    }

    package mutating func field(_ name: String, _ value: Int?) {
        guard let value else { return }
        self.name(name)
        self.value(value)
    }

    /// Shortest text that reads back as the same number; nil and non-finite write `null`.
    package mutating func field(_ name: String, _ value: Double?, decimals: Int? = nil) {
        self.name(name)
        guard let value, value.isFinite else { return null() }
        self.value(decimals.map { Self.rounded(value, $0) } ?? value)
    }

    package mutating func field(_ name: String, _ value: Instant?) {
        guard let value else { return }
        self.name(name)
        bytes.append(0x22)
        value.write(to: &bytes)
        bytes.append(0x22)
        needsComma = true
    }

    package mutating func value(_ value: Int) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
        needsComma = true
    }

    package mutating func value(_ value: Double) {
        separate()
        if value == value.rounded(), abs(value) < 9e15 {
            bytes.append(contentsOf: String(Int(value)).utf8)
        } else {
            bytes.append(contentsOf: value.description.utf8)
        }
        needsComma = true
    }

    package mutating func value(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    package mutating func endLine() {
        bytes.append(0x0A)
        needsComma = false
    }

    package mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = false
    }

    private mutating func quote(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    static func rounded(_ value: Double, _ decimals: Int) -> Double {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        return (value * scale).rounded() / scale
    }
}

/// `3.14` of 3.14159: a fixed number of decimals, without a locale.
package func fixed(_ value: Double, _ decimals: Int = 1) -> String {
    guard abs(value) < 1e12 else { return "–" }
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + String(scaled) }
    let rest = String(scaled % scale)
    return sign + String(scaled / scale) + "."
        + String(repeating: "0", count: decimals - rest.count) + rest
}
