// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What a server answers to one command: three digits and text, in one or more lines (RFC 5321 §4.2).
package struct SMTPReply: Sendable, Hashable, CustomStringConvertible {
    package var code: Int
    package var lines: [String]

    package init(code: Int, lines: [String]) {
        self.code = code
        self.lines = lines
    }

    package var isPositive: Bool { (200..<300).contains(code) }
    /// Try again later, the same words may succeed.
    package var isTransient: Bool { (400..<500).contains(code) }
    /// The same words will fail again.
    package var isPermanent: Bool { (500..<600).contains(code) }

    /// In one line and without control bytes: servers' words are shown to people.
    package var description: String {
        "\(code) \(String(lines.joined(separator: " / ").prefix(200)).escapedForDisplay)"
    }
}

/// Takes replies out of a stream of bytes; holds at most one reply of 64 lines.
struct SMTPReplyParser {
    /// Twice what RFC 5321 §4.5.3.1.5 allows.
    static let lineBytes = 1024
    static let lines = 64

    private var line: [UInt8] = []
    private var reply: SMTPReply?

    /// Takes bytes; returns the replies that are complete with them.
    mutating func feed(_ bytes: some Sequence<UInt8>) throws(SMTPError) -> [SMTPReply] {
        var replies: [SMTPReply] = []
        for byte in bytes {
            guard byte == 0x0A else {
                guard line.count < Self.lineBytes else {
                    throw .garbled("a line of its reply is longer than \(Self.lineBytes) bytes")
                }
                line.append(byte)
                continue
            }
            if line.last == 0x0D { line.removeLast() }
            if let complete = try take() { replies.append(complete) }
            line.removeAll(keepingCapacity: true)
        }
        return replies
    }

    private mutating func take() throws(SMTPError) -> SMTPReply? {
        let shown = String(decoding: line.prefix(80), as: UTF8.self).escapedForDisplay
        guard line.count >= 3,
            let code = Int(String(decoding: line.prefix(3), as: UTF8.self)),
            (200..<600).contains(code), line.prefix(3).allSatisfy({ (0x30...0x39).contains($0) })
        else { throw .garbled("'\(shown)' does not begin with a reply code") }
        let mark = line.count > 3 ? line[3] : 0x20
        guard mark == 0x20 || mark == UInt8(ascii: "-") else {
            throw .garbled("'\(shown)' does not begin with a reply code")
        }
        var reply = reply ?? SMTPReply(code: code, lines: [])
        guard reply.code == code else { throw .garbled("one reply has two codes: '\(shown)'") }
        guard reply.lines.count < Self.lines else {
            throw .garbled("a reply has more than \(Self.lines) lines")
        }
        reply.lines.append(String(decoding: line.dropFirst(4), as: UTF8.self))
        guard mark == 0x20 else {
            self.reply = reply
            return nil
        }
        self.reply = nil
        return reply
    }
}
