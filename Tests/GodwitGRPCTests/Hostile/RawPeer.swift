// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Synchronization

/// A client that writes bytes of its own making to a socket, and believes in no protocol.
final class RawPeer: Sendable {
    private final class Sink: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let answersPings: Bool
        let pings: AsyncStream<Void>
        private let hears: AsyncStream<Void>.Continuation
        /// What is not yet a whole frame.
        private let rest = Mutex([UInt8]())

        init(answersPings: Bool) {
            self.answersPings = answersPings
            (pings, hears) = AsyncStream.makeStream()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard answersPings else { return }
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            let answers = rest.withLock { rest in
                rest += bytes
                return Self.answers(&rest)
            }
            for answer in answers {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
                hears.yield()
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            hears.finish()
            context.fireChannelInactive()
        }

        /// Takes whole frames away, and answers the pings among them (RFC 9113, 6.7).
        private static func answers(_ rest: inout [UInt8]) -> [[UInt8]] {
            var answers: [[UInt8]] = []
            while rest.count >= 9 {
                let length = Int(rest[0]) << 16 | Int(rest[1]) << 8 | Int(rest[2])
                guard rest.count >= 9 + length else { break }
                if rest[3] == 6, rest[4] & 1 == 0 {
                    answers.append(Frames.frame(6, 1, 0, Array(rest[9..<9 + length])))
                }
                rest.removeFirst(9 + length)
            }
            return answers
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    let channel: any Channel
    private let sink: Sink

    init(port: Int, answersPings: Bool = false) async throws {
        let sink = Sink(answersPings: answersPings)
        self.sink = sink
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(sink) }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// False when the other side has closed; then nobody minds.
    @discardableResult
    func send(_ bytes: [UInt8]) async -> Bool {
        do {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
            return true
        } catch {
            return false
        }
    }

    /// Returns when it has answered so many pings, or the connection is closed.
    func untilPings(_ count: Int) async {
        var left = count
        for await _ in sink.pings {
            left -= 1
            if left == 0 { return }
        }
    }

    var isOpen: Bool { channel.isActive }

    /// Returns when the other side has closed the connection.
    func untilClosed() async { try? await channel.closeFuture.get() }

    func close() async { try? await channel.close() }
}

/// HTTP/2 by hand (RFC 9113), as good or bad as the caller wants.
enum Frames {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let settings = frame(4, 0, 0, [])

    static func frame(
        _ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? payload.count
        var bytes: [UInt8] = []
        for shift in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        bytes.append(type)
        bytes.append(flags)
        for shift: UInt32 in [24, 16, 8, 0] {
            bytes.append(UInt8(truncatingIfNeeded: stream >> shift))
        }
        return bytes + payload
    }

    /// HPACK without its table and without Huffman's code (RFC 7541, 6.2.2).
    static func head(_ fields: [(String, String)]) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in fields {
            block.append(0x00)
            block.append(UInt8(name.utf8.count))
            block += Array(name.utf8)
            block.append(UInt8(value.utf8.count))
            block += Array(value.utf8)
        }
        return block
    }

    /// The head of a call that needs no token.
    static func call(_ path: String = "/grpc.health.v1.Health/Check") -> [UInt8] {
        head([
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ])
    }

    static func message(_ bytes: [UInt8], length: UInt32? = nil) -> [UInt8] {
        let length = length ?? UInt32(bytes.count)
        var framed: [UInt8] = [0]
        for shift: UInt32 in [24, 16, 8, 0] {
            framed.append(UInt8(truncatingIfNeeded: length >> shift))
        }
        return framed + bytes
    }
}
