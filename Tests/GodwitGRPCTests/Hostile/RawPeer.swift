// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Synchronization

/// A client that writes bytes of its own making to a socket, and believes in no protocol.
final class RawPeer: Sendable {
    private final class Sink: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received = Mutex([UInt8]())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            received.withLock { if $0.count < 1 << 20 { $0 += bytes } }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    let channel: any Channel
    private let sink: Sink

    init(port: Int) async throws {
        let sink = Sink()
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

    var received: [UInt8] { sink.received.withLock { $0 } }

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
        return [
            UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
            UInt8(truncatingIfNeeded: length), type, flags,
            UInt8(truncatingIfNeeded: stream >> 24), UInt8(truncatingIfNeeded: stream >> 16),
            UInt8(truncatingIfNeeded: stream >> 8), UInt8(truncatingIfNeeded: stream),
        ] + payload
    }

    /// HPACK without its table and without Huffman's code (RFC 7541, 6.2.2).
    static func head(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in
            [0x00, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)]
                + Array(value.utf8)
        }
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
        return [0] + withUnsafeBytes(of: length.bigEndian) { Array($0) } + bytes
    }
}
