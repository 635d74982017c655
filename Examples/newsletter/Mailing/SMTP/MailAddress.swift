// SPDX-License-Identifier: Apache-2.0
import Godwit

/// An address that can stand in a command and a header without harm: `local@domain` (RFC 5321 §4.1.2).
///
/// Only the dot-atom form in ASCII. What would need quotes, an address literal or SMTPUTF8 is refused:
/// a newsletter has no use for it, and a line break in an address is a second command.
package struct MailAddress: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) throws(InvalidAddress) {
        let bytes = Array(text.utf8)
        func refuse(_ reason: String) -> InvalidAddress { InvalidAddress(text, reason) }
        guard !bytes.isEmpty else { throw refuse("it is empty") }
        // §4.5.3.1.3: a path has 256 octets, two of them are < and >.
        guard bytes.count <= 254 else { throw refuse("it has more than 254 bytes") }
        if let control = bytes.first(where: { $0 < 0x20 || $0 == 0x7F }) {
            let isBreak = control == 0x0D || control == 0x0A
            throw refuse(isBreak ? "it holds a line break" : "it holds a control byte")
        }
        guard bytes.allSatisfy({ $0 < 0x80 }) else { throw refuse("it is not ASCII") }
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { throw refuse("it has no @") }
        let local = bytes[..<at]
        guard !local.isEmpty, local.count <= 64 else {
            throw refuse("before the @ stand 1 to 64 bytes, not \(local.count)")
        }
        if let byte = local.first(where: { !Self.isAtom($0) && $0 != UInt8(ascii: ".") }) {
            throw refuse("'\(Character(UnicodeScalar(byte)))' may not stand before the @")
        }
        guard Self.hasNoEmptyPart(local) else { throw refuse("a dot stands where none may") }
        let domain = bytes[(at + 1)...]
        guard Self.hasNoEmptyPart(domain) else { throw refuse("its domain has an empty label") }
        for label in domain.split(separator: UInt8(ascii: ".")) {
            guard label.count <= 63, label.first != UInt8(ascii: "-"),
                label.last != UInt8(ascii: "-"), label.allSatisfy(Self.isLetterDigitHyphen)
            else { throw refuse("its domain is not a host name") }
        }
        self.text = text
    }

    package var description: String { text }

    private static func hasNoEmptyPart(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty }
    }

    private static func isLetterDigitHyphen(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
        default: false
        }
    }

    /// atext of RFC 5322 §3.2.3.
    private static func isAtom(_ byte: UInt8) -> Bool {
        isLetterDigitHyphen(byte) || "!#$%&'*+/=?^_`{|}~".utf8.contains(byte)
    }
}

/// A text that is no address we send to.
package struct InvalidAddress: Error, Sendable, Hashable, CustomStringConvertible {
    package let text: String
    package let reason: String

    init(_ text: String, _ reason: String) {
        self.text = text
        self.reason = reason
    }

    package var description: String {
        "'\(String(text.prefix(80)).escapedForDisplay)' is no mail address: \(reason)"
    }
}
