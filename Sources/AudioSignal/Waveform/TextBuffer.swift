// SPDX-License-Identifier: Apache-2.0

/// Bytes of text that are being put together: numbers without a string for each.
struct TextBuffer {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(1 << 16 + 64) }

    mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    mutating func add(_ byte: UInt8) { bytes.append(byte) }

    mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func add(_ number: Int) {
        var rest = number.magnitude
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// A number of so many decimals, given as the integer without its point; zeros at the end are left out.
    mutating func add(_ number: Int, decimals: Int) {
        var (rest, places, unit) = (number, decimals, 1)
        while places > 0, rest % 10 == 0 { (rest, places) = (rest / 10, places - 1) }
        for _ in 0..<places { unit *= 10 }
        if rest < 0 { bytes.append(UInt8(ascii: "-")) }
        add(Int(rest.magnitude) / unit)
        guard places > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        var fraction = Int(rest.magnitude) % unit
        for _ in 0..<places {
            unit /= 10
            bytes.append(UInt8(ascii: "0") + UInt8(fraction / unit))
            fraction %= unit
        }
    }
}
