// SPDX-License-Identifier: Apache-2.0
import Crypto
public import Godwit

/// The header that says who sent a webhook and when: `Godwit-Signature: t=…,v1=…`.
///
/// `t` is seconds since 1970; `v1` is the hex of HMAC-SHA256 (RFC 2104) over `t`, a point and the body.
/// While a secret is being changed there is one `v1` for each; a receiver takes any that fits.
public enum WebhookSignature {
    public static let header = "Godwit-Signature"

    /// How far `t` may be from the receiver's clock, in both directions.
    public static let window = Duration.seconds(300)

    /// Why a call is not believed.
    public enum Refusal: String, Error, Sendable, Hashable, Codable {
        case missing = "no signature, or one that can't be read"
        case stale = "its time lies more than five minutes off"
        case wrong = "made with another secret, or for another body"
    }

    /// The header's value. Secrets that are empty are left out; nil when none is left.
    public static func value(
        of body: [UInt8], at time: Timestamp, secrets: [WebhookSecret]
    ) -> String? {
        let seconds = time.milliseconds / 1000
        let parts = secrets.prefix(mostSecrets).filter { !$0.bytes.isEmpty }.map {
            "v1=" + Hex.string([UInt8](code(of: body, seconds, $0)))
        }
        return parts.isEmpty ? nil : (["t=\(seconds)"] + parts).joined(separator: ",")
    }

    /// What a receiver asks: was this body sent by one who knows a secret, within five minutes?
    ///
    /// Every code is compared with every secret in constant time. Use the body's bytes as they came,
    /// before any parser. A code that was taken once is good for the whole window: keep the event ids
    /// of the last ten minutes if doing it twice would hurt.
    public static func verify(
        _ value: String, body: [UInt8], secrets: [WebhookSecret], at now: Timestamp
    ) -> Bool {
        do throws(Refusal) {
            try check(value, body: body, secrets: secrets, at: now)
            return true
        } catch {
            return false
        }
    }

    /// ``verify(_:body:secrets:at:)`` for who wants to know why not; nil is a call without the header.
    public static func check(
        _ value: String?, body: [UInt8], secrets: [WebhookSecret], at now: Timestamp
    ) throws(Refusal) {
        guard let value, value.utf8.count <= 1024 else { throw .missing }
        var seconds: Int64?
        var codes: [[UInt8]] = []
        for part in value.split(separator: ",") {
            let part = part.drop { $0 == " " }
            if part.hasPrefix("t=") {
                let digits = part.dropFirst(2)
                // Why: two times would leave open which one was signed.
                guard seconds == nil, (1...12).contains(digits.utf8.count),
                    digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
                else { throw .missing }
                seconds = Int64(digits)
            } else if part.hasPrefix("v1="), codes.count < 8, let code = bytes(part.dropFirst(3)) {
                codes.append(code)
            }
        }
        guard let seconds, !codes.isEmpty else { throw .missing }
        let age = now - Timestamp(milliseconds: seconds * 1000)
        guard age <= window, age >= .zero - window else { throw .stale }
        var isGood = false
        for secret in secrets.prefix(mostSecrets) where !secret.bytes.isEmpty {
            for code in codes {
                isGood =
                    HMAC<SHA256>.isValidAuthenticationCode(
                        code, authenticating: signed(body, seconds),
                        using: SymmetricKey(data: secret.bytes)) || isGood
            }
        }
        guard isGood else { throw .wrong }
    }

    private static let mostSecrets = 4

    private static func code(
        of body: [UInt8], _ seconds: Int64, _ secret: WebhookSecret
    ) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(
            for: signed(body, seconds), using: SymmetricKey(data: secret.bytes))
    }

    private static func signed(_ body: [UInt8], _ seconds: Int64) -> [UInt8] {
        Array("\(seconds).".utf8) + body
    }

    private static func bytes(_ hex: Substring) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = Hex.value(of: digits[index]),
                let low = Hex.value(of: digits[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

/// A secret that never shows itself: not in a log, a dump, or an interpolation.
public struct WebhookSecret: Sendable, Hashable {
    package let bytes: [UInt8]

    public init(_ text: String) { bytes = Array(text.utf8) }

    public init(bytes: [UInt8]) { self.bytes = bytes }
}

extension WebhookSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
