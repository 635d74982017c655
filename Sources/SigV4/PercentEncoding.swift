// SPDX-License-Identifier: Apache-2.0

/// RFC 3986 as AWS reads it: every byte of the UTF-8 but `A–Z a–z 0–9 - . _ ~` becomes `%XX`.
public enum PercentEncoding {
    /// Encodes one part of a path or of a query: `/` too.
    public static func part(_ text: String) -> String { encode(text.utf8, keeping: nil) }

    /// Encodes a path and leaves its slashes: a space is `%20`, a plus `%2B`, a percent sign `%25`.
    public static func path(_ text: String) -> String { encode(text.utf8, keeping: slash) }

    /// Decodes `%XX`; nil where a percent sign stands alone or the bytes are no UTF-8. A plus stays one.
    public static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == percent else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Names and values encoded, in order of their encoded text, joined by `&` (the canonical query).
    public static func query(_ fields: [Field]) -> String {
        fields.map { (part($0.name), part($0.value)) }.sorted(by: <)
            .map { "\($0)=\($1)" }.joined(separator: "&")
    }

    /// Spells a path that is on the wire in the one way that is signed: what should be encoded and is
    /// not becomes so, what is encoded needlessly is not any more, digits are capitals.
    static func respell(_ path: String) -> String {
        let bytes = Array(path.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == percent, index + 2 < bytes.count,
                let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
            {
                let byte = high << 4 | low
                if isPlain(byte) { out.append(byte) } else { append(byte, to: &out) }
                index += 3
            } else {
                let byte = bytes[index]
                if isPlain(byte) || byte == slash {
                    out.append(byte)
                } else {
                    append(byte, to: &out)
                }
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let percent = UInt8(ascii: "%")
    private static let slash = UInt8(ascii: "/")

    private static func encode(_ bytes: some Sequence<UInt8>, keeping kept: UInt8?) -> String {
        var out: [UInt8] = []
        for byte in bytes {
            if isPlain(byte) || byte == kept { out.append(byte) } else { append(byte, to: &out) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func append(_ byte: UInt8, to out: inout [UInt8]) {
        let digits: StaticString = "0123456789ABCDEF"
        out.append(percent)
        out.append(digits.utf8Start[Int(byte >> 4)])
        out.append(digits.utf8Start[Int(byte & 15)])
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
