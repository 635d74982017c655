// SPDX-License-Identifier: Apache-2.0
import Foundation
import Mailing
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct `SMTP client` {
    static var patient: SMTPClient.Options { SMTPClient.Options() }
    static var hasty: SMTPClient.Options {
        var options = SMTPClient.Options()
        options.replyTimeout = .milliseconds(200)
        return options
    }

    /// Sends letters one after another to what a script plays.
    static func send(
        _ script: [ScriptedServer.Step], mails count: Int = 1, options: SMTPClient.Options = patient
    ) async throws -> (outcomes: [Outcome], heard: [String]) {
        try await ScriptedServer.with(script) { server in
            let outcomes = try await SMTPClient.with(
                host: "127.0.0.1", port: server.port, options: options
            ) { client in
                var outcomes: [Outcome] = []
                for _ in 0..<count { outcomes.append(try await client.send(Letters.letter())) }
                return outcomes
            }
            return (outcomes, server.heard)
        }
    }

    static let commands: [ScriptedServer.Step] = [
        .hear("MAIL FROM:<from@example.com>"), .hear("RCPT TO:<to@example.org>"), .hear("DATA"),
    ]

    @Test func `with PIPELINING three commands go out before a reply, and dots are doubled`()
        async throws
    {
        let script =
            ScriptedServer.greeting + Self.commands
            + [
                .say("250 a\r\n250 b\r\n354 go\r\n"), .dot, .say("250 taken\r\n"), .hear("QUIT"),
                .say("221 bye\r\n"),
            ]
        let (outcomes, heard) = try await Self.send(script)
        #expect(outcomes == [.accepted])
        let body = heard.drop { $0 != "" }.dropFirst().prefix { $0 != "." }
        #expect(Array(body) == ["Hello", "..", "...two", "end"])
        #expect(heard.last == "QUIT")
    }

    @Test func `without it each command waits for its reply`() async throws {
        let script: [ScriptedServer.Step] =
            ScriptedServer.plain + [
                .hear("MAIL"), .say("250 a\r\n"), .hear("RCPT"), .say("250 b\r\n"), .hear("DATA"),
                .say("354 c\r\n"), .dot, .say("250 d\r\n"), .hear("QUIT"), .say("221 e\r\n"),
            ]
        #expect(try await Self.send(script).outcomes == [.accepted])
    }

    @Test func `a server that knows no EHLO gets HELO`() async throws {
        let script: [ScriptedServer.Step] = [
            .say("220-several\r\n220-lines\r\n220 hi\r\n"), .hear("EHLO"), .say("502 what?\r\n"),
            .hear("HELO"), .say("250 hi\r\n"), .hear("MAIL"), .say("550 no\r\n"), .hear("RSET"),
            .say("250 ok\r\n"), .hear("QUIT"), .say("221 bye\r\n"),
        ]
        #expect(
            try await Self.send(script).outcomes
                == [.rejected(SMTPReply(code: 550, lines: ["no"]))])
    }

    @Test(arguments: [451, 550])
    func `a recipient refused while DATA was asked for gets a lone dot, and the next mail goes on`(
        _ code: Int
    ) async throws {
        let script =
            ScriptedServer.greeting + Self.commands
            + [
                .say("250 a\r\n\(code) not him\r\n354 go\r\n"), .hear("."),
                .say("554 no recipients\r\n"), .hear("RSET"), .say("250 ok\r\n"),
            ] + Self.commands
            + [
                .say("250 a\r\n250 b\r\n354 go\r\n"), .dot, .say("250 taken\r\n"), .hear("QUIT"),
                .say("221 bye\r\n"),
            ]
        let (outcomes, _) = try await Self.send(script, mails: 2)
        let reply = SMTPReply(code: code, lines: ["not him"])
        #expect(outcomes == [code == 451 ? .deferred(reply) : .rejected(reply), .accepted])
    }

    @Test func `a refusal behind the content counts`() async throws {
        let script =
            ScriptedServer.greeting + Self.commands
            + [.say("250 a\r\n250 b\r\n354 go\r\n"), .dot, .say("452 full\r\n"), .hear("QUIT")]
        #expect(
            try await Self.send(script).outcomes
                == [.deferred(SMTPReply(code: 452, lines: ["full"]))])
    }

    @Test(arguments: 0..<6)
    func `a connection cut anywhere is an error and no outcome`(_ place: Int) async throws {
        let whole =
            ScriptedServer.greeting.dropFirst(0) + Self.commands + [
                .say("250 a\r\n250 b\r\n"), .say("354 go\r\n"), .dot,
            ]
        let script = Array(whole.prefix([0, 1, 3, 6, 7, 9][place])) + [.cut]
        await #expect { try await Self.send(script) } throws: { SMTPError.Word($0) == .cut }
    }

    @Test(arguments: [
        [ScriptedServer.Step](), [.say("220 hi\r\n")], [.say("220-hi\r\n")],
        ScriptedServer.greeting, ScriptedServer.greeting + [.say("250 a\r\n250 b\r\n")],
    ])
    func `a server that falls silent anywhere is given up within the time`(
        _ script: [ScriptedServer.Step]
    ) async throws {
        await #expect {
            try await Self.send(script, options: Self.hasty)
        } throws: { SMTPError.Word($0) == .silent }
    }

    @Test(arguments: [
        String(repeating: "2", count: 10_000), "hello\r\n", "99 low\r\n", "220_hi\r\n", "2\r\n",
        "220-a\r\n250 b\r\n", String(repeating: "220-again\r\n", count: 100),
        String(repeating: "220 again\r\n", count: 100), "\u{FFFD}\u{FFFD}\u{FFFD} x\r\n", "\r\n",
    ])
    func `what is no SMTP ends the conversation, however long it is`(_ text: String) async throws {
        await #expect {
            try await Self.send([.say(text)], options: Self.hasty)
        } throws: { SMTPError.Word($0) == .garbled }
    }

    @Test(arguments: ["554 go away\r\n", "421 busy\r\n"])
    func `a server that wants nobody is refused by its words`(_ text: String) async throws {
        await #expect { try await Self.send([.say(text)]) } throws: {
            SMTPError.Word($0) == .refused
        }
    }

    @Test func `421 in the middle ends the conversation, and is no outcome`() async throws {
        let script = ScriptedServer.greeting + Self.commands + [.say("421 a\r\n421 b\r\n421 c\r\n")]
        await #expect { try await Self.send(script) } throws: { SMTPError.Word($0) == .refused }
    }

    @Test func `words for people hold no control bytes of the server`() async throws {
        let script =
            ScriptedServer.greeting + Self.commands
            + [.say("550 \u{1B}[2Jgone\r\n550 b\r\n503 c\r\n"), .hear("RSET"), .say("250 ok\r\n")]
        let outcome = try await Self.send(script).outcomes[0]
        guard case .rejected(let reply) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect("\(reply)" == "550 \\u{1b}[2Jgone")
    }

    @Test func `nobody there is named with host and port`() async throws {
        await #expect {
            try await SMTPClient.with(host: "127.0.0.1", port: 1) { _ in }
        } throws: { "\($0)".contains("127.0.0.1:1") }
    }

    @Test func `a cancelled task does not wait for a silent server`() async throws {
        try await ScriptedServer.with(ScriptedServer.greeting) { server in
            let port = server.port
            let task = Task {
                try await SMTPClient.with(host: "127.0.0.1", port: port) { client in
                    try await client.send(Letters.letter())
                }
            }
            task.cancel()
            await #expect(throws: SMTPError.self) { try await task.value }
        }
    }
}

extension SMTPError {
    /// The case without its text.
    enum Word {
        case unreachable, refused, cut, silent, garbled

        init?(_ error: any Error) {
            switch error as? SMTPError {
            case .unreachable: self = .unreachable
            case .refused: self = .refused
            case .cut: self = .cut
            case .silent: self = .silent
            case .garbled: self = .garbled
            case nil: return nil
            }
        }
    }
}
