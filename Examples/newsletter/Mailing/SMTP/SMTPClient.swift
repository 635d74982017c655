// SPDX-License-Identifier: Apache-2.0
package import NIOCore
import NIOPosix

/// One connection to a mail server, for one mail at a time (RFC 5321).
///
/// With PIPELINING (RFC 2920) the three commands before a mail's content go out together. The next mail
/// begins when the last one was answered: so at most one mail is ever in doubt.
package final class SMTPClient: Sendable {
    /// How long what may take, and who we say we are.
    package struct Options: Sendable {
        /// Our name in EHLO.
        package var name = "localhost"
        package var connectTimeout: TimeAmount = .seconds(10)
        /// For each reply. RFC 5321 §4.5.3.2 asks for minutes; a job with a lease is less patient.
        package var replyTimeout: TimeAmount = .seconds(30)

        package init() {}
    }

    /// Host and port, for texts.
    package let server: String
    package let canPipeline: Bool
    private let channel: any Channel
    private let words: SMTPWords

    private init(server: String, channel: any Channel, words: SMTPWords, canPipeline: Bool) {
        self.server = server
        self.channel = channel
        self.words = words
        self.canPipeline = canPipeline
    }

    /// Lends a connection that has said hello, and says goodbye behind `body`.
    ///
    /// A cancelled task closes it at once: whatever it waits for throws ``SMTPError/cut(_:)``.
    package static func with<R: Sendable>(
        host: String, port: Int, options: Options = Options(),
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        _ body: @Sendable (SMTPClient) async throws -> R
    ) async throws -> R {
        let server = "\(host):\(port)"
        let words = SMTPWords(server: server, patience: options.replyTimeout)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(options.connectTimeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(SMTPHandler(words))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            throw SMTPError.unreachable("no connection to the mail server \(server): \(error)")
        }
        return try await withTaskCancellationHandler {
            do {
                let client = try await greet(server, channel, words, options)
                let result = try await body(client)
                // Why not waited for long: the mails are answered, the goodbye is manners.
                _ = try? await words.say(
                    "QUIT\r\n", replies: 1, on: channel,
                    within: min(.seconds(2), options.replyTimeout))
                await close(channel)
                return result
            } catch {
                await close(channel)
                throw error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Sends one mail and returns what the server made of it.
    ///
    /// - Throws: ``SMTPError`` when the conversation is over. If the content was on its way, the server may have it.
    package func send(_ letter: Letter) async throws -> Outcome {
        let commands = [
            "MAIL FROM:<\(letter.from)>\r\n", "RCPT TO:<\(letter.to)>\r\n", "DATA\r\n",
        ]
        var replies: [SMTPReply] = []
        if canPipeline {
            replies = try await words.say(commands.joined(), replies: 3, on: channel)
        } else {
            for (position, command) in commands.enumerated() {
                let reply = try await words.say(command, replies: 1, on: channel)
                replies += reply
                guard position == 2 || reply[0].isPositive else { break }
            }
        }
        if let closing = replies.first(where: { $0.code == 421 }) {
            throw SMTPError.refused(closing, to: "the mail to \(letter.to)")
        }
        let isWanted = replies.prefix(2).allSatisfy(\.isPositive)
        if replies.count == 3, replies[2].code == 354 {
            // RFC 2920 §3.1: whoever is asked for content nobody wants sends a dot alone.
            let content = isWanted ? Self.dotted(letter.content) : ByteBuffer(string: ".\r\n")
            let last = try await words.say(content, replies: 1, on: channel)[0]
            if isWanted { return try await outcome(last, isOver: true) }
        }
        guard let refusal = replies.first(where: { !$0.isPositive && $0.code != 354 }) else {
            throw SMTPError.garbled(
                "\(server) answered DATA by \(replies.last.map { "\($0)" } ?? "nothing")")
        }
        return try await outcome(refusal, isOver: false)
    }

    /// What a reply means for the recipient; a transaction that is half open is put away.
    private func outcome(_ reply: SMTPReply, isOver: Bool) async throws -> Outcome {
        if reply.code == 421 { throw SMTPError.refused(reply, to: "the mail") }
        if !isOver { _ = try await words.say("RSET\r\n", replies: 1, on: channel) }
        if reply.isPositive { return .accepted }
        if reply.isTransient { return .deferred(reply) }
        if reply.isPermanent { return .rejected(reply) }
        throw SMTPError.garbled("\(server) answered a mail by \(reply)")
    }

    /// The content with doubled dots and the dot that ends it (RFC 5321 §4.5.2).
    static func dotted(_ content: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(content.count + 16)
        var isLineStart = true
        for byte in content {
            if isLineStart, byte == UInt8(ascii: ".") { buffer.writeInteger(byte) }
            buffer.writeInteger(byte)
            isLineStart = byte == 0x0A
        }
        if !isLineStart { buffer.writeString("\r\n") }
        buffer.writeString(".\r\n")
        return buffer
    }

    private static func greet(
        _ server: String, _ channel: any Channel, _ words: SMTPWords, _ options: Options
    ) async throws -> SMTPClient {
        let greeting = try await words.say("", replies: 1, on: channel)[0]
        guard greeting.isPositive else {
            throw SMTPError.refused(greeting, to: "the connection")
        }
        var hello = try await words.say("EHLO \(options.name)\r\n", replies: 1, on: channel)[0]
        var canPipeline = false
        if hello.isPositive {
            canPipeline = hello.lines.dropFirst().contains {
                $0.uppercased().split(separator: " ").first == "PIPELINING"
            }
        } else if hello.isPermanent {
            hello = try await words.say("HELO \(options.name)\r\n", replies: 1, on: channel)[0]
        }
        guard hello.isPositive else { throw SMTPError.refused(hello, to: "our hello") }
        return SMTPClient(
            server: server, channel: channel, words: words, canPipeline: canPipeline)
    }

    private static func close(_ channel: any Channel) async {
        channel.close(promise: nil)
        try? await channel.closeFuture.get()
    }
}
