// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Godwit
import GodwitGRPC
import GodwitProtos
import Synchronization

/// Calls `godwit.v1.Handler` of one service over one kept connection.
///
/// The library repeats nothing by itself and takes answers of at most 64 KiB.
struct GRPCCaller: Caller {
    private typealias Transport = WatchedTransport<HTTP2ClientTransport.Posix>

    private static let answerBytes = 64 << 10

    private let client: GRPCClient<Transport>
    private let handler: Godwit_V1_Handler.Client<Transport>

    init(_ host: String, _ port: Int, _ security: PushTarget.Security) throws {
        let transportSecurity: HTTP2ClientTransport.Posix.TransportSecurity =
            switch security {
            case .plaintext: .plaintext
            case .tls(nil): .tls
            case .tls(let file?):
                .tls { $0.trustRoots = .certificates([.file(path: file, format: .pem)]) }
            }
        let transport = try HTTP2ClientTransport.Posix(
            target: .dns(host: host, port: port), transportSecurity: transportSecurity,
            config: .defaults { config in
                // Why short: the breaker asks again, and must not find the library still waiting.
                config.backoff.initial = .milliseconds(100)
                config.backoff.max = .seconds(2)
                config.connection.keepalive = .init(
                    time: .seconds(30), timeout: .seconds(10), allowWithoutCalls: false)
            })
        client = GRPCClient(transport: WatchedTransport(transport))
        handler = Godwit_V1_Handler.Client(wrapping: client)
    }

    func run() async throws { try await client.runConnections() }

    func stop() { client.beginGracefulShutdown() }

    func send(_ call: PushCall) async -> PushVerdict? {
        var options = CallOptions.defaults
        options.timeout = call.time
        options.maxResponseMessageBytes = Self.answerBytes
        // Why: grpc-swift-nio-transport bounds answers by this one, and requests by none.
        options.maxRequestMessageBytes = Self.answerBytes
        let watch = Watch()
        do {
            return try await Watch.$current.withValue(watch) {
                try await handler.handle(
                    Godwit_V1_HandleRequest(call), options: options
                ) { response in
                    PushVerdict(try response.message, of: call.queue)
                }
            }
        } catch {
            if Task.isCancelled { return nil }
            return judge(error, call, wasSent: watch.wasOpened)
        }
    }

    private func judge(_ error: any Error, _ call: PushCall, wasSent: Bool) -> PushVerdict {
        let error =
            error as? RPCError
            ?? RPCError(code: .internalError, message: "\(error)")
        if !wasSent, error.code == .unavailable || error.code == .deadlineExceeded {
            let cause = error.cause.map { ": \($0)" } ?? ""
            return PushVerdict(
                .hold("it can't be reached: \(PushVerdict.shown(error.message + cause))"), .failing)
        }
        return PushVerdict(
            code: error.code, message: error.message, trailers: error.metadata,
            at: SystemTime().now())
    }
}

extension Godwit_V1_HandleRequest {
    fileprivate init(_ call: PushCall) {
        self.init()
        queue = call.queue.text
        var content = Godwit_V1_Content()
        content.contentType = call.message.contentType.text
        content.headers = call.message.headers
        content.payload = Data(call.message.payload)
        message = Godwit_V1_Message(call.entry, kind: call.message.kind, content)
        if let bytes = call.checkpoint { checkpoint = Data(bytes) }
    }
}

/// Whether a call found a connection to be sent on.
final class Watch: Sendable {
    @TaskLocal static var current: Watch?

    private let flag = Atomic(false)

    var wasOpened: Bool { flag.load(ordering: .acquiring) }

    func open() { flag.store(true, ordering: .releasing) }
}

/// A transport that marks the calls that got a stream of their own.
///
/// Why: the library says UNAVAILABLE for a service that is not there, and the service may say so too.
/// Only the first of them left nothing behind.
struct WatchedTransport<Base: ClientTransport>: ClientTransport {
    typealias Bytes = Base.Bytes

    private let base: Base

    init(_ base: Base) { self.base = base }

    var retryThrottle: RetryThrottle? { base.retryThrottle }

    func connect() async throws { try await base.connect() }

    func beginGracefulShutdown() { base.beginGracefulShutdown() }

    func withStream<T: Sendable>(
        descriptor: MethodDescriptor, options: CallOptions,
        _ closure: (RPCStream<Inbound, Outbound>, ClientContext) async throws -> T
    ) async throws -> T {
        try await base.withStream(descriptor: descriptor, options: options) { stream, context in
            Watch.current?.open()
            return try await closure(stream, context)
        }
    }

    func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? {
        base.config(forMethod: descriptor)
    }
}
