// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Foundation

/// The receiver's half of a signed webhook: `Godwit-Signature: t=<seconds>,v1=<hex of HMAC-SHA256(secret, t.body)>`.
package struct WebhookSignature: Sendable {
    /// Why a call is not believed.
    package enum Refusal: String, Error, Sendable, Hashable, Codable {
        case missing = "no signature, or one that can't be read"
        case stale = "its time lies more than five minutes off"
        case wrong = "made with another secret, or for another body"
    }

    /// How far its time may lie from ours, in seconds: an old call can't be played again.
    static let window: Int64 = 300

    private let key: SymmetricKey

    package init(secret: String) { key = SymmetricKey(data: Data(secret.utf8)) }

    /// Throws ``Refusal`` unless one of the header's signatures is right for the body, now.
    package func check(
        _ header: String?, body: some Sequence<UInt8>, now: Date = Date()
    ) throws(Refusal) {
        guard let header, header.utf8.count <= 1024 else { throw .missing }
        var time: String?
        var signatures: [[UInt8]] = []
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { throw .missing }
            let name = pair[0].drop { $0 == " " }
            if name == "t" { time = String(pair[1]) }
            // More than one while the secret is being changed.
            if name == "v1", let bytes = Self.bytes(pair[1]) { signatures.append(bytes) }
        }
        guard let time, let seconds = Int64(time), !signatures.isEmpty else { throw .missing }
        let ours = Int64(now.timeIntervalSince1970)
        guard (ours - Self.window...ours + Self.window).contains(seconds) else { throw .stale }
        let signed = Array("\(time).".utf8) + Array(body)
        // Why this word: it takes the same time whatever the first wrong byte is.
        guard
            signatures.contains(where: {
                HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: signed, using: key)
            })
        else { throw .wrong }
    }

    /// A header for a body, as the sender makes it.
    package func header(for body: some Sequence<UInt8>, at date: Date = Date()) -> String {
        let time = Int64(date.timeIntervalSince1970)
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("\(time).".utf8) + Array(body), using: key)
        return "t=\(time),v1=" + Hexadecimal.text(code)
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard text.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            let pair = rest.prefix(2)
            guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else {
                return nil
            }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

package enum Hexadecimal {
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
