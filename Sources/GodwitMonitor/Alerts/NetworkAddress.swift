// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An IPv4 or IPv6 address as its bytes, and whether a program may dial it on somebody's word.
///
/// Text is read strictly: four decimal numbers without leading zeros, or what RFC 4291 §2.2 allows
/// between brackets. All other spellings of an address (decimal, octal, hex, short) are no address here.
public struct NetworkAddress: Sendable, Hashable {
    /// Four or sixteen of them, most significant first.
    public let bytes: [UInt8]

    /// Nil unless there are four or sixteen.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads the strict form; nil for everything else, a zone included.
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard text.utf8.count <= 45, text.utf8.allSatisfy(Self.isIPv6Character) else { return nil }
            var address = in6_addr()
            guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
            bytes = withUnsafeBytes(of: &address) { [UInt8]($0) }
        } else {
            guard let bytes = Self.dotted(text) else { return nil }
            self.bytes = bytes
        }
    }

    public var isIPv6: Bool { bytes.count == 16 }

    private static func isIPv6Character(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func dotted(_ text: String) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            var value = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + Int(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            bytes.append(UInt8(value))
        }
        return bytes
    }
}

extension NetworkAddress: CustomStringConvertible {
    /// Dotted, or eight groups of hex without any shortening.
    public var description: String {
        guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }
}

// MARK: What may be dialled

extension NetworkAddress {
    /// Why this address is not to be dialled; nil when it is a public one.
    ///
    /// IPv4 that hides in IPv6 (mapped, compatible, translated, NAT64, 6to4, ISATAP) is taken out and
    /// judged as itself. What no rule knows is refused: of IPv6 only global unicast is public.
    /// The ranges are those of the IANA registries of special-purpose addresses (RFC 6890).
    public var refusal: String? {
        if !isIPv6 { return Self.refusal(ofIPv4: bytes[...]) }
        if isLast(0) { return "it is the unspecified address (::)" }
        if isLast(1) { return "it is loopback (::1)" }
        if let inner { return Self.refusal(ofIPv4: inner) }
        if (bytes[8] == 0 || bytes[8] == 2), bytes[9] == 0, bytes[10] == 0x5E, bytes[11] == 0xFE,
            let refusal = Self.refusal(ofIPv4: bytes[12..<16])
        {
            return refusal
        }
        if bytes[0] & 0xFE == 0xFC { return "it is private (fc00::/7)" }
        if bytes[0] == 0xFE { return "it is link-local or site-local (fe00::/8)" }
        if bytes[0] == 0xFF { return "it is multicast (ff00::/8)" }
        guard bytes[0] & 0xE0 == 0x20 else { return "it is not global unicast (2000::/3)" }
        if starts(0x20, 0x01), bytes[2] & 0xFE == 0 { return "it is reserved (2001::/23)" }
        if starts(0x20, 0x01, 0x0D, 0xB8) { return "it is for documentation (2001:db8::/32)" }
        if starts(0x3F, 0xFF), bytes[2] & 0xF0 == 0 { return "it is for documentation (3fff::/20)" }
        return nil
    }

    /// True for what no list can allow: nothing listens on it, or everybody does.
    public var isNeverAllowed: Bool {
        if isIPv6, isLast(1) { return false }
        let bytes = isIPv6 ? inner ?? [] : self.bytes[...]
        if let first = bytes.first { return first == 0 || first >= 224 }
        return self.bytes[0] == 0xFF
    }

    /// The IPv4 address that this IPv6 address stands for.
    private var inner: ArraySlice<UInt8>? {
        if starts(0x20, 0x02) { return bytes[2..<6] }
        if bytes[0..<12].allSatisfy({ $0 == 0 }) || starts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF)
            || starts(0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0)
            || starts(0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0)
        {
            return bytes[12..<16]
        }
        return nil
    }

    private func isLast(_ last: UInt8) -> Bool {
        bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == last
    }

    private func starts(_ prefix: UInt8...) -> Bool { bytes.starts(with: prefix) }

    private static func refusal(ofIPv4 address: ArraySlice<UInt8>) -> String? {
        let a = [UInt8](address)
        switch (a[0], a[1], a[2], a[3]) {
        case (0, _, _, _): return "it is of this network (0.0.0.0/8)"
        case (10, _, _, _): return "it is private (10.0.0.0/8)"
        case (100, 64...127, _, _): return "it is shared by a carrier's customers (100.64.0.0/10)"
        case (127, _, _, _): return "it is loopback (127.0.0.0/8)"
        case (168, 63, 129, 16): return "it is a cloud's own service (168.63.129.16)"
        case (169, 254, _, _): return "it is link-local, where clouds keep metadata (169.254.0.0/16)"
        case (172, 16...31, _, _): return "it is private (172.16.0.0/12)"
        case (192, 0, 0, _): return "it is reserved (192.0.0.0/24)"
        case (192, 0, 2, _), (198, 51, 100, _), (203, 0, 113, _):
            return "it is for documentation (RFC 5737)"
        case (192, 88, 99, _): return "it is reserved (192.88.99.0/24)"
        case (192, 168, _, _): return "it is private (192.168.0.0/16)"
        case (198, 18...19, _, _): return "it is for benchmarks (198.18.0.0/15)"
        case (224...239, _, _, _): return "it is multicast (224.0.0.0/4)"
        case (240..., _, _, _): return "it is reserved (240.0.0.0/4)"
        default: return nil
        }
    }
}
