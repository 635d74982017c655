// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// One mail: RFC 5322 headers and a plain text, ready to be sent to one recipient.
package struct Letter: Sendable, Hashable {
    package let from: MailAddress
    package let to: MailAddress
    /// What stands between `<` and `>`; the same for each sending of the same mail.
    package let id: String
    /// The message as it is sent, lines ended by CRLF, dots not yet doubled.
    package let content: [UInt8]

    /// Makes the mail; throws when a header would hold a line break or another control byte.
    ///
    /// A subject or text that is not ASCII is encoded (RFC 2047, RFC 2045 §6.7), so that the mail needs no
    /// extension of the server.
    package init(
        from: MailAddress, to: MailAddress, id: String, date: Date, subject: String,
        unsubscribe: String, text: String
    ) throws(InvalidHeader) {
        let isPlain = Self.isPlain(text)
        let fields = [
            ("Date", Self.date(date)),
            ("From", "<\(from)>"),
            ("To", "<\(to)>"),
            ("Subject", try Self.encoded(subject, of: "Subject")),
            ("Message-ID", "<\(id)>"),
            ("List-Unsubscribe", "<\(unsubscribe)>"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", isPlain ? "7bit" : "quoted-printable"),
        ]
        var content: [UInt8] = []
        content.reserveCapacity(512 + text.utf8.count)
        for (name, value) in fields {
            guard value.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
                throw InvalidHeader(name, "it holds a line break, a control byte or is not ASCII")
            }
            // RFC 2047 §2: a line with encoded words has at most 76 characters.
            let folded = "\(name): \(value)".replacing("?= =?", with: "?=\r\n =?")
            // RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6: 1,000 octets with the CRLF.
            guard folded.split(separator: "\r\n").allSatisfy({ $0.utf8.count <= 998 }) else {
                throw InvalidHeader(name, "it is longer than a line may be")
            }
            content += folded.utf8
            content += "\r\n".utf8
        }
        content += "\r\n".utf8
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            content += isPlain ? Array(line.utf8) : QuotedPrintable.encode(line.utf8)
            content += "\r\n".utf8
        }
        self.from = from
        self.to = to
        self.id = id
        self.content = content
    }

    /// Whether a text may go as it stands: ASCII, no control bytes, lines that fit.
    private static func isPlain(_ text: String) -> Bool {
        var length = 0
        for byte in text.utf8 {
            guard byte < 0x7F, byte >= 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                return false
            }
            length = byte == 0x0A ? 0 : length + 1
            guard length <= 998 else { return false }
        }
        return true
    }

    /// A header's text: as it stands in ASCII, else as encoded words.
    private static func encoded(_ text: String, of name: String) throws(InvalidHeader) -> String {
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw InvalidHeader(name, "it holds a line break or another control byte")
        }
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var words: [String] = []
        var word: [UInt8] = []
        // 36 bytes are 48 characters of Base64: with the name one line of 76. Why by character: an encoded word holds whole ones.
        for character in text {
            let bytes = Array(String(character).utf8)
            if !word.isEmpty, word.count + bytes.count > 36 {
                words.append(Data(word).base64EncodedString())
                word = []
            }
            word += bytes
        }
        words.append(Data(word).base64EncodedString())
        return words.map { "=?utf-8?B?\($0)?=" }.joined(separator: " ")
    }

    /// A date as RFC 5322 §3.3 writes it, in UTC.
    static func date(_ date: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents(
            [.weekday, .day, .month, .year, .hour, .minute, .second], from: date)
        func two(_ number: Int?) -> String {
            let text = String(number ?? 0)
            return text.count < 2 ? "0" + text : text
        }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let day = days[((parts.weekday ?? 1) - 1) % 7]
        let month = months[((parts.month ?? 1) - 1) % 12]
        return """
            \(day), \(parts.day ?? 1) \(month) \(parts.year ?? 1970) \
            \(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) +0000
            """
    }
}

/// Text that is not ASCII in lines of ASCII of at most 76 characters (RFC 2045 §6.7).
enum QuotedPrintable {
    static func encode(_ line: some Collection<UInt8>) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        var width = 0
        let last = line.count - 1
        for (position, byte) in line.enumerated() {
            let isSpace = byte == 0x20 || byte == 0x09
            let isLiteral = (0x21..<0x7F).contains(byte) && byte != 0x3D
            let piece: [UInt8] =
                isLiteral || (isSpace && position < last)
                ? [byte] : [0x3D, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            // Room for the = of a soft line break.
            if width + piece.count > 75 {
                out += [0x3D, 0x0D, 0x0A]
                width = 0
            }
            out += piece
            width += piece.count
        }
        return out
    }
}

/// A header that would not be one line.
package struct InvalidHeader: Error, Sendable, Hashable, CustomStringConvertible {
    package let name: String
    package let reason: String

    init(_ name: String, _ reason: String) {
        self.name = name
        self.reason = reason
    }

    package var description: String { "the header \(name) can't be sent: \(reason)" }
}
