// SPDX-License-Identifier: Apache-2.0
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf

/// Calls of one message and one answer, answered without the detours that streams need.
///
/// Why: `GRPCServer` writes head, answer and status one after the other, each a turn of its own, and
/// wraps every call in what interceptors and streams may want. All else goes to it as before.
struct UnaryRoutes: Sendable {
    typealias Transport = HTTP2ServerTransport.Posix
    typealias Route =
        @Sendable (RPCStream<Transport.Inbound, Transport.Outbound>, ServerContext) async -> Void

    private(set) var routes: [MethodDescriptor: Route] = [:]
    let gate: @Sendable (Metadata, ServerContext) async throws -> Caller

    init(gate: @escaping @Sendable (Metadata, ServerContext) async throws -> Caller) {
        self.gate = gate
    }

    mutating func add<
        Input: SwiftProtobuf.Message & Sendable, Output: SwiftProtobuf.Message & Sendable
    >(
        _ method: MethodDescriptor,
        _ handle:
            @escaping @Sendable (ServerRequest<Input>, ServerContext) async throws ->
            ServerResponse<Output>
    ) {
        let gate = gate
        routes[method] = { stream, context in
            let status: Status
            var trailers = Metadata()
            do {
                let (caller, metadata, message): (Caller, Metadata, Input) = try await Self.read(
                    stream.inbound
                ) { try await gate($0, context) }
                let response = try await Caller.$current.withValue(caller) {
                    try await handle(ServerRequest(metadata: metadata, message: message), context)
                }
                let answer = try response.accepted.get()
                let bytes: Transport.Bytes = try ProtobufSerializer<Output>().serialize(
                    answer.message)
                try? await stream.outbound.write(contentsOf: [
                    .metadata(answer.metadata), .message(bytes),
                    .status(Status(code: .ok, message: ""), answer.trailingMetadata),
                ])
                await stream.outbound.finish()
                return
            } catch let error as RPCError {
                status = Status(code: Status.Code(error.code), message: error.message)
                trailers = error.metadata
            } catch {
                status = Status(code: .unknown, message: "the call failed")
            }
            try? await stream.outbound.write(.status(status, trailers))
            await stream.outbound.finish()
        }
    }

    private static func read<Input: SwiftProtobuf.Message & Sendable>(
        _ inbound: Transport.Inbound, _ gate: (Metadata) async throws -> Caller
    ) async throws -> (Caller, Metadata, Input) {
        var caller: Caller?
        var metadata: Metadata?
        var message: Input?
        for try await part in inbound {
            switch part {
            case .metadata(let head):
                // Why first: who may not come in is not read.
                caller = try await gate(head)
                metadata = head
            case .message(let bytes):
                guard message == nil else {
                    throw RPCError(code: .unimplemented, message: "this call takes one message")
                }
                guard bytes.count <= WireLimits.requestBytes else {
                    throw RPCError(
                        code: .resourceExhausted,
                        message: "a call takes at most \(WireLimits.requestBytes) bytes",
                        metadata: [FailureTrailer.reason: "invalid"])
                }
                message = try ProtobufDeserializer<Input>().deserialize(bytes)
            }
        }
        guard let caller, let metadata, let message else {
            throw RPCError(code: .unimplemented, message: "this call takes one message")
        }
        return (caller, metadata, message)
    }
}

extension QueueService {
    /// The words that are called often.
    func routes(
        _ gate: @escaping @Sendable (Metadata, ServerContext) async throws -> Caller
    ) -> [MethodDescriptor: UnaryRoutes.Route] {
        typealias Words = Godwit_V1_Queue.Method
        var routes = UnaryRoutes(gate: gate)
        routes.add(Words.Enqueue.descriptor, enqueue)
        routes.add(Words.Reserve.descriptor, reserve)
        routes.add(Words.Settle.descriptor, settle)
        routes.add(Words.SettleThenReserve.descriptor, settleThenReserve)
        routes.add(Words.Renew.descriptor, renew)
        routes.add(Words.Checkpoint.descriptor, checkpoint)
        return routes.routes
    }
}

/// The transport with the unary routes before its own.
struct RoutedTransport: ServerTransport {
    typealias Bytes = HTTP2ServerTransport.Posix.Bytes

    let inner: HTTP2ServerTransport.Posix
    let routes: [MethodDescriptor: UnaryRoutes.Route]

    func configure(context: GRPCServerContext) { inner.configure(context: context) }

    func listen(
        streamHandler:
            @escaping @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
    ) async throws {
        try await inner.listen { stream, context in
            if let route = routes[context.descriptor] {
                await route(stream, context)
            } else {
                await streamHandler(stream, context)
            }
        }
    }

    func beginGracefulShutdown() { inner.beginGracefulShutdown() }
}
