// SPDX-License-Identifier: Apache-2.0
import Crypto
import Godwit

/// A bearer token: `gdw_`, its name, `_` and 64 hexadecimal digits, which are 256 random bits.
///
/// The name finds the record, the digits prove that one has it. The mark in front lets scanners find a
/// token that somebody published.
package struct AccessToken: Sendable {
    package let name: String
    let secret: String

    static let mark = "gdw_"
    private static let digits = 64

    /// A new one for this name, out of the system's random numbers.
    init(named name: String) {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<4 {
            let part: UInt64 = generator.next()
            withUnsafeBytes(of: part) { bytes += $0 }
        }
        self.name = name
        secret = Hex.string(bytes)
    }

    /// Reads what somebody sent; nil for what can't be one.
    package init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count <= Self.mark.utf8.count + Self.nameBytes + 1 + Self.digits,
            text.hasPrefix(Self.mark)
        else { return nil }
        let rest = text.dropFirst(Self.mark.count)
        guard let line = rest.lastIndex(of: "_") else { return nil }
        let (name, secret) = (rest[..<line], rest[rest.index(after: line)...])
        guard Self.isName(name), secret.utf8.count == Self.digits,
            secret.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.name = String(name)
        self.secret = String(secret)
    }

    /// What is sent, and shown once when it is made.
    package var text: String { "\(Self.mark)\(name)_\(secret)" }

    /// What is stored.
    ///
    /// Why a plain SHA-256 and no slow hash: those protect secrets that people choose and others guess.
    /// Of 256 random bits nobody tries enough, however fast the hash is; and it runs for every call.
    var digest: SHA256Digest { SHA256.hash(data: Array(secret.utf8)) }

    private static let nameBytes = 64

    /// 1 to 64 characters out of `A–Z a–z 0–9 . _ -`.
    package static func isName(_ name: some StringProtocol) -> Bool {
        (1...nameBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: ".")
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            }
    }
}
