// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server that says what its script says, whoever connects: for replies no decent server gives.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        case say(String)
        /// Waits for a line that begins like this; another one ends the connection.
        case hear(String)
        /// Waits for the dot behind a mail's content.
        case dot
        case cut
    }

    /// The steps up to a server that has answered EHLO with PIPELINING.
    static let greeting: [Step] = [
        .say("220 hi\r\n"), .hear("EHLO"), .say("250-hi\r\n250 PIPELINING\r\n"),
    ]
    static let plain: [Step] = [.say("220 hi\r\n"), .hear("EHLO"), .say("250 hi\r\n")]

    let port: Int
    private let channel: any Channel
    private let log: Log

    final class Log: Sendable {
        private let list = Mutex<[String]>([])
        var lines: [String] { list.withLock { $0 } }
        func add(_ line: String) { list.withLock { $0.append(line) } }
    }

    private init(channel: any Channel, log: Log) {
        port = channel.localAddress?.port ?? 0
        self.channel = channel
        self.log = log
    }

    /// Lends a server; the same script for each connection.
    static func with<R>(
        _ script: [Step], _ body: (ScriptedServer) async throws -> R
    ) async throws -> R {
        let log = Log()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script, log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(channel: channel, log: log)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try await channel.close()
            throw error
        }
    }

    /// Every line it heard.
    var heard: [String] { log.lines }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var script: ArraySlice<ScriptedServer.Step>
    private let log: ScriptedServer.Log
    private var input = ""
    private var hasEnded = false

    init(_ script: [ScriptedServer.Step], _ log: ScriptedServer.Log) {
        self.script = script[...]
        self.log = log
    }

    func channelActive(context: ChannelHandlerContext) { go(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        input += String(buffer: unwrapInboundIn(data))
        go(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func go(_ context: ChannelHandlerContext) {
        while !hasEnded, let step = script.first {
            switch step {
            case .say(let text):
                context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
            case .cut:
                hasEnded = true
                context.close(promise: nil)
            case .hear(let word):
                guard let line = nextLine() else { return }
                guard line.hasPrefix(word) else {
                    hasEnded = true
                    context.close(promise: nil)
                    return
                }
            case .dot:
                guard let line = nextLine() else { return }
                guard line == "." else { continue }
            }
            script = script.dropFirst()
        }
    }

    private func nextLine() -> String? {
        guard let end = input.range(of: "\r\n") else { return nil }
        let line = String(input[..<end.lowerBound])
        input = String(input[end.upperBound...])
        log.add(line)
        return line
    }
}
