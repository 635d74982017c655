// SPDX-License-Identifier: Apache-2.0
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf

extension HTTP2ClientTransport.Posix {
    /// Makes a call of one message and one answer on a stream of its own.
    ///
    /// Why not through `GRPCClient`: it starts tasks and writes part by part for every call, to serve
    /// interceptors, retries and streams that a unary call of ours has none of. `began` is called before anything is sent.
    func unary<Input: SwiftProtobuf.Message & Sendable, Output: SwiftProtobuf.Message & Sendable>(
        _ message: Input, _ method: MethodDescriptor, _ metadata: Metadata, _ options: CallOptions,
        began: () -> Void
    ) async throws -> Output {
        let bytes: Bytes = try ProtobufSerializer<Input>().serialize(message)
        return try await withStream(descriptor: method, options: options) { stream, _ in
            began()
            try await stream.outbound.write(contentsOf: [.metadata(metadata), .message(bytes)])
            await stream.outbound.finish()
            var answer: Bytes?
            for try await part in stream.inbound {
                switch part {
                case .metadata: break
                case .message(let bytes):
                    guard answer == nil else {
                        throw RPCError(code: .internalError, message: "two answers to one call")
                    }
                    answer = bytes
                case .status(let status, let trailers):
                    if let code = RPCError.Code(status.code) {
                        throw RPCError(code: code, message: status.message, metadata: trailers)
                    }
                    guard let answer else {
                        throw RPCError(code: .internalError, message: "the answer is missing")
                    }
                    return try ProtobufDeserializer<Output>().deserialize(answer)
                }
            }
            if Task.isCancelled {
                throw RPCError(code: .cancelled, message: "the caller's task was cancelled")
            }
            throw RPCError(code: .unavailable, message: "the connection broke")
        }
    }
}
