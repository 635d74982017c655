// SPDX-License-Identifier: Apache-2.0
import Foundation
import Mailing
import Testing

@Suite struct `Addresses` {
    @Test(arguments: [
        "a@b", "reader-7@mail3.example.org", "o'neill+news@example.co.uk",
        "x.y_z=1@[".dropLast() + "h",
        String(repeating: "l", count: 64) + "@" + String(repeating: "d", count: 63) + ".org",
    ])
    func `an address in dot-atom form is taken as it stands`(_ text: String) throws {
        #expect(try MailAddress(text).text == text)
    }

    @Test(arguments: [
        ("", "empty"), ("nobody", "no @"), ("@example.org", "1 to 64"), ("a@", "empty label"),
        ("a@b\r\nRCPT TO:<c@d", "line break"), ("a\nb@c", "line break"), ("a\u{0}@b", "control"),
        ("a@b>", "host name"), ("a@b c", "host name"), ("<a@b", "before the @"),
        ("a b@c", "before the @"), ("\"a b\"@c", "before the @"), ("a..b@c", "dot"),
        (".a@c", "dot"), ("a.@c", "dot"), ("a@b..c", "empty label"), ("a@.c", "empty label"),
        ("a@-b", "host name"), ("a@b-", "host name"), ("a@[127.0.0.1]", "host name"),
        ("ä@b", "ASCII"), ("a@b\u{202E}", "ASCII"), ("a@b\u{7F}", "control"),
        (String(repeating: "l", count: 65) + "@b", "1 to 64"),
        ("a@" + String(repeating: "d", count: 64), "host name"),
        ("a@" + String(repeating: "d.", count: 127) + "d", "254"),
    ])
    func `what is none is refused with a reason, and shown without its control bytes`(
        _ text: String, _ reason: String
    ) {
        #expect { try MailAddress(text) } throws: { error in
            let said = "\(error)"
            return said.contains(reason) && !said.utf8.contains { $0 < 0x20 || $0 == 0x7F }
        }
    }
}

@Suite struct `Letters` {
    static func letter(
        subject: String = "News", id: String = "1@example.com",
        unsubscribe: String = "https://e.org/u",
        text: String = "Hello\n.\n..two\nend"
    ) throws -> Letter {
        try Letter(
            from: try MailAddress("from@example.com"), to: try MailAddress("to@example.org"),
            id: id,
            date: Date(timeIntervalSince1970: 1_000_000_000), subject: subject,
            unsubscribe: unsubscribe, text: text)
    }

    static func text(_ letter: Letter) -> String { String(decoding: letter.content, as: UTF8.self) }

    @Test func `a mail has its headers, an empty line and its text, each line ended by CRLF`()
        throws
    {
        let text = Self.text(try Self.letter())
        #expect(
            text == """
                Date: Sun, 9 Sep 2001 01:46:40 +0000\r
                From: <from@example.com>\r
                To: <to@example.org>\r
                Subject: News\r
                Message-ID: <1@example.com>\r
                List-Unsubscribe: <https://e.org/u>\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: 7bit\r
                \r
                Hello\r
                .\r
                ..two\r
                end\r

                """)
    }

    @Test(arguments: [
        "a\r\nBcc: everybody@example.org", "a\nb", "a\rb", "a\u{0}b", "ä\r\nBcc: x@y",
    ])
    func `a line break in a header is refused, wherever it stands`(_ hostile: String) {
        #expect(throws: InvalidHeader.self) { try Self.letter(subject: hostile) }
        #expect(throws: InvalidHeader.self) { try Self.letter(id: hostile) }
        #expect(throws: InvalidHeader.self) { try Self.letter(unsubscribe: hostile) }
    }

    @Test func `a header longer than a line may be is refused`() {
        #expect(throws: InvalidHeader.self) {
            try Self.letter(subject: String(repeating: "s", count: 1000))
        }
    }

    @Test func `a subject that is not ASCII becomes encoded words on lines of at most 76`() throws {
        let subject = String(repeating: "Pfuhlschnepfe fliegt über 🌍 ", count: 20)
        let text = Self.text(try Self.letter(subject: subject))
        let lines = text.components(separatedBy: "\r\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("Subject: =?utf-8?B?") })
        let folded = lines[start...].prefix { $0 == lines[start] || $0.hasPrefix(" ") }
        #expect(folded.count > 10)
        #expect(folded.allSatisfy { $0.utf8.count <= 76 && $0.utf8.allSatisfy { $0 < 0x80 } })
        let words = folded.flatMap { $0.components(separatedBy: "=?utf-8?B?").dropFirst() }
        let decoded = words.compactMap {
            Data(base64Encoded: String($0.prefix { $0 != "?" })).flatMap {
                String(data: $0, encoding: .utf8)
            }
        }
        #expect(decoded.joined() == subject)
    }

    @Test func `a text that is not ASCII, or too wide, is quoted within 76 columns`() throws {
        let wide = String(repeating: "x", count: 3000)
        for text in ["größer = 1 \nä", wide, "tab\tend \u{1}"] {
            let content = Self.text(try Self.letter(text: text))
            #expect(content.contains("quoted-printable"))
            let parts = content.components(separatedBy: "\r\n\r\n")
            let body = parts.dropFirst().joined(separator: "\r\n\r\n")
            for line in body.components(separatedBy: "\r\n") {
                #expect(line.utf8.count <= 76)
                #expect(line.utf8.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 0x09 })
                #expect(!line.hasSuffix(" "))
            }
        }
        #expect(Self.text(try Self.letter(text: "ä=")).hasSuffix("\r\n\r\n=C3=A4=3D\r\n"))
    }
}
