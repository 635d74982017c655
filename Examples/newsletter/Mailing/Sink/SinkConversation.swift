// SPDX-License-Identifier: Apache-2.0

/// The server's half of a conversation, a line at a time: bytes in, replies out; knows no socket.
///
/// Takes EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, with PIPELINING; one mail has up to 100 recipients
/// and 1 MiB. Of a mail's content only the Message-ID and the length are looked at.
struct SinkConversation {
    static let commandBytes = 512
    static let lineBytes = 1000
    static let mailBytes = 1 << 20

    /// A whole mail; its end is to be answered.
    struct Mail: Equatable {
        var id: [UInt8]?
        var bytes: Int
        var recipients: Int
        /// It is too long, or a line of it is.
        var fault: String?
    }

    enum Step: Equatable {
        case nothing
        case reply(String)
        /// A recipient that is well formed; who keeps the rules answers by ``admit(_:)`` or a refusal.
        case recipient(String)
        case mail(Mail)
        case goodbye(String)
    }

    private enum Mode { case command, headers, body }

    private var mode = Mode.command
    private var hasGreeted = false
    private var hasSender = false
    private var recipients = 0
    private var mail = Mail(bytes: 0, recipients: 0)

    /// The longest line, CRLF included, that is taken now.
    var lineLimit: Int { mode == .command ? Self.commandBytes : Self.lineBytes }

    /// Takes a line without its CRLF; `isWhole` is false for one whose bytes past the limit were dropped.
    mutating func take(_ line: some Collection<UInt8>, isWhole: Bool) -> Step {
        guard mode == .command else { return takeContent(line, isWhole: isWhole) }
        guard isWhole else { return .reply("500 5.5.2 the line is too long") }
        let text = String(decoding: line, as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.count > 1 ? String(parts[1]) : ""
        switch (parts.first ?? "").uppercased() {
        case "EHLO":
            begin()
            return .reply(
                "250-sink.localhost\r\n250-PIPELINING\r\n250-SIZE \(Self.mailBytes)\r\n250 ENHANCEDSTATUSCODES"
            )
        case "HELO":
            begin()
            return .reply("250 sink.localhost")
        case "MAIL": return sender(rest)
        case "RCPT": return recipient(rest)
        case "DATA": return data()
        case "RSET":
            reset()
            return .reply("250 2.0.0 ok")
        case "NOOP": return .reply("250 2.0.0 ok")
        case "QUIT": return .goodbye("221 2.0.0 bye")
        default: return .reply("500 5.5.1 unknown command")
        }
    }

    /// Counts a recipient that is taken; returns the reply.
    mutating func admit() -> String {
        recipients += 1
        return "250 2.1.5 ok"
    }

    private mutating func begin() {
        hasGreeted = true
        reset()
    }

    private mutating func reset() {
        hasSender = false
        recipients = 0
    }

    private mutating func sender(_ rest: String) -> Step {
        guard hasGreeted, !hasSender else { return .reply("503 5.5.1 not now") }
        guard let path = Self.path(rest, behind: "FROM:") else {
            return .reply("501 5.5.4 MAIL FROM:<address>")
        }
        guard path.isEmpty || (try? MailAddress(path)) != nil else {
            return .reply("553 5.1.7 no address")
        }
        hasSender = true
        return .reply("250 2.1.0 ok")
    }

    private mutating func recipient(_ rest: String) -> Step {
        guard hasSender else { return .reply("503 5.5.1 MAIL first") }
        guard recipients < 100 else { return .reply("452 4.5.3 too many recipients") }
        guard let path = Self.path(rest, behind: "TO:") else {
            return .reply("501 5.5.4 RCPT TO:<address>")
        }
        guard (try? MailAddress(path)) != nil else { return .reply("553 5.1.3 no address") }
        return .recipient(path)
    }

    private mutating func data() -> Step {
        guard hasSender else { return .reply("503 5.5.1 MAIL first") }
        guard recipients > 0 else { return .reply("554 5.5.1 no valid recipients") }
        mode = .headers
        mail = Mail(bytes: 0, recipients: recipients)
        return .reply("354 go on, end with a dot")
    }

    private mutating func takeContent(_ line: some Collection<UInt8>, isWhole: Bool) -> Step {
        if line.elementsEqual(CollectionOfOne(UInt8(ascii: "."))) {
            mode = .command
            reset()
            return .mail(mail)
        }
        mail.bytes += line.count + 2
        if !isWhole { mail.fault = "554 5.6.0 a line has over \(Self.lineBytes) bytes" }
        if mail.bytes > Self.mailBytes { mail.fault = "552 5.3.4 over \(Self.mailBytes) bytes" }
        guard mode == .headers else { return .nothing }
        // The dot that was doubled for the way (RFC 5321 §4.5.2).
        let line = line.first == UInt8(ascii: ".") ? line.dropFirst() : line.dropFirst(0)
        if line.isEmpty {
            mode = .body
        } else if mail.id == nil, Self.isMessageID(line) {
            let value = line.dropFirst(Self.messageID.count).drop { $0 == 0x20 || $0 == 0x09 }
            if !value.isEmpty { mail.id = Array(value) }
        }
        return .nothing
    }

    private static let messageID = Array("message-id:".utf8)

    private static func isMessageID(_ line: some Collection<UInt8>) -> Bool {
        line.prefix(messageID.count).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
            == messageID
    }

    /// What stands between the brackets of `FROM:<…>`; parameters behind it are passed over.
    private static func path(_ rest: String, behind word: String) -> String? {
        guard rest.uppercased().hasPrefix(word) else { return nil }
        let path = rest.dropFirst(word.count).drop { $0 == " " }
        guard path.first == "<", let end = path.firstIndex(of: ">") else { return nil }
        return String(path[path.index(after: path.startIndex)..<end])
    }
}
