// SPDX-License-Identifier: Apache-2.0
import Foundation
import Mailing
import NIOCore
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Sink` {
    static func with<R: Sendable>(
        _ rules: SinkRules = SinkRules(), messageIDs: Int = 1000,
        _ body: (Mailing.Sink) async throws -> R
    ) async throws -> R {
        let sink = try await Mailing.Sink.start(rules: rules, messageIDs: messageIDs)
        do {
            let result = try await body(sink)
            await sink.stop()
            return result
        } catch {
            await sink.stop()
            throw error
        }
    }

    /// Says bytes to a sink, in pieces of a size, and returns all that it answers up to its end.
    static func talk(_ text: String, to sink: Mailing.Sink, by size: Int = .max) async throws
        -> [String]
    {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: sink.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: min(size, bytes.count)) {
                let end = start + min(size, bytes.count - start)
                try await outbound.write(ByteBuffer(bytes: bytes[start..<end]))
            }
            var answer = ""
            for try await bytes in inbound { answer += String(buffer: bytes) }
            return answer.components(separatedBy: "\r\n").filter { !$0.isEmpty }
        }
    }

    static func mail(_ id: String?, body: String = "text\r\n") -> String {
        """
        MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n\
        \(id.map { "Subject: x\r\nMESSAGE-id:  \($0)\r\n" } ?? "")\r\n\(body).\r\n
        """
    }

    @Test(arguments: [Int.max, 1, 7])
    func `it counts mails and Message-IDs, however the bytes arrive`(_ size: Int) async throws {
        try await Self.with { sink in
            let words =
                "EHLO me\r\n" + Self.mail("<1@x>") + Self.mail("<2@x>") + Self.mail("<1@x>")
                + Self.mail(nil) + "QUIT\r\n"
            let answer = try await Self.talk(words, to: sink, by: size)
            #expect(answer.last == "221 2.0.0 bye")
            #expect(answer.filter { $0.hasPrefix("250 2.0.0 taken") }.count == 3)
            #expect(answer.contains("550 5.6.0 no Message-ID"))
            let report = sink.report
            #expect(report.raw == 3 && report.distinct == 2 && report.repeats == 1)
            #expect(report.rejected == 1)
        }
    }

    @Test func `a Message-ID in the body is none, nor is a dotted line the end`() async throws {
        try await Self.with { sink in
            let words =
                "EHLO me\r\n" + Self.mail(nil, body: "Message-ID: <1@x>\r\n..\r\n. \r\n")
                + "QUIT\r\n"
            _ = try await Self.talk(words, to: sink)
            #expect(sink.report.raw == 0)
        }
    }

    @Test(arguments: [
        ("MAIL FROM:<a@b>\r\n", "503"), ("EHLO x\r\nDATA\r\n", "503"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n", "554"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:b@c\r\n", "501"),
        ("EHLO x\r\nMAIL FROM:<a b@c>\r\n", "553"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nobody@b>\r\n", "550"),
        ("EHLO " + String(repeating: "x", count: 100_000) + "\r\n", "500"),
        ("XYZZY\r\n", "500"), ("\r\n", "500"), ("\u{0}\u{FF}\r\n", "500"),
    ])
    func `wrong words are answered by a code, and the next ones are heard`(
        _ words: String, _ code: String
    ) async throws {
        try await Self.with { sink in
            let answer = try await Self.talk(words + "NOOP\r\nQUIT\r\n", to: sink)
            #expect(answer.contains { $0.hasPrefix(code) }, "\(answer)")
            #expect(Array(answer.suffix(2)) == ["250 2.0.0 ok", "221 2.0.0 bye"])
        }
    }

    @Test func `too long a line or a mail is refused as a whole, and the next mail taken`()
        async throws
    {
        try await Self.with { sink in
            let line = String(repeating: "l", count: 1001) + "\r\n"
            let big = String(repeating: String(repeating: "m", count: 98) + "\r\n", count: 11_000)
            let words =
                "EHLO x\r\n" + Self.mail("<1@x>", body: line) + Self.mail("<2@x>", body: big)
                + Self.mail("<3@x>") + "QUIT\r\n"
            let answer = try await Self.talk(words, to: sink, by: 60_000)
            #expect(answer.contains { $0.hasPrefix("554 5.6.0") })
            #expect(answer.contains { $0.hasPrefix("552") })
            #expect(sink.report.raw == 1)
        }
    }

    @Test func `it holds a bounded number of ids, and knows those it has`() async throws {
        try await Self.with(messageIDs: 2) { sink in
            let words = ["<1@x>", "<2@x>", "<3@x>", "<1@x>"].map { Self.mail($0) }.joined()
            let answer = try await Self.talk("EHLO x\r\n" + words + "QUIT\r\n", to: sink)
            #expect(answer.filter { $0.hasPrefix("452") }.count == 1)
            #expect(sink.report.distinct == 2 && sink.report.repeats == 1)
        }
    }

    @Test func `our client's mails arrive whole, also when the answers wait`() async throws {
        try await Self.with(SinkRules(delay: .milliseconds(2))) { sink in
            let port = sink.port
            try await SMTPClient.with(host: "127.0.0.1", port: port) { client in
                #expect(client.canPipeline)
                for id in 0..<20 {
                    let letter = try Letters.letter(id: "\(id % 15)@example.com")
                    #expect(try await client.send(letter) == .accepted)
                }
            }
            let size = try Letters.letter(id: "1@example.com").content.count
            let report = sink.report
            #expect(report.distinct == 15 && report.repeats == 5)
            // The dots that were doubled for the way are counted as they came: two lines of them.
            #expect(abs(report.bytes - 20 * (size + 2)) <= 20)
        }
    }

    @Test func `what it is told to do to its clients, it does`() async throws {
        try await Self.with(SinkRules(deferEvery: 2)) { sink in
            let port = sink.port
            try await SMTPClient.with(host: "127.0.0.1", port: port) { client in
                #expect(try await client.send(Letters.letter()) == .accepted)
                guard case .deferred = try await client.send(Letters.letter()) else {
                    Issue.record("the second was to be put off")
                    return
                }
            }
        }
        try await Self.with(SinkRules(cutEvery: 1)) { sink in
            let port = sink.port
            await #expect {
                try await SMTPClient.with(host: "127.0.0.1", port: port) { client in
                    try await client.send(Letters.letter())
                }
            } throws: { SMTPError.Word($0) == .cut }
            #expect(sink.report.raw == 1 && sink.report.cut == 1)
        }
    }
}
