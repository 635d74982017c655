// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Runs `body` against a door on a port of its own, which ends with it.
func withDoor<Value: Sendable>(
    _ broker: any Broker, _ configure: (inout DoorOptions) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> Value {
    var options = DoorOptions()
    options.port = 0
    options.limits.grace = .seconds(1)
    configure(&options)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = try QueueServer(broker, options: options) { continuation.yield($0) }
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { continuation.finish() }
            try await server.run()
        }
        defer { tasks.cancelAll() }
        for await port in ports { return try await body(port) }
        try await tasks.waitForAll()
        throw CancellationError()
    }
}

/// A token of the store that may do this, as text.
func token(
    _ name: String, _ grants: String..., for time: Duration? = nil, on broker: any Broker
) async throws -> String {
    let now = broker.time.now()
    let token = try await TokenBook(broker.board).add(
        name, grants: try grants.map { try Grant($0) }, expiresAt: time.map { now + $0 }, now: now)
    guard let token else { throw CancellationError() }
    return token.text
}

/// Lends a client of the door at this port.
func withRemote<Value: Sendable>(
    _ port: Int, token: String? = nil, query: String = "", scheme: String = "grpc",
    host: String = "127.0.0.1", time: any TimeSource = SystemTime(),
    _ body: (RemoteBroker) async throws -> Value
) async throws -> Value {
    let broker = try await RemoteBroker(
        try RemoteURL("\(scheme)://\(host):\(port)\(query)"), token: token, time: time)
    do {
        let value = try await body(broker)
        await broker.shutdown()
        return value
    } catch {
        await broker.shutdown()
        throw error
    }
}

/// Sends bytes as they are, and answers the status code of the call.
struct RawClient: Sendable {
    struct Plain: MessageSerializer, MessageDeserializer {
        func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
            Bytes(message)
        }

        func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
            bytes.withUnsafeBytes { Array($0) }
        }
    }

    let client: GRPCClient<HTTP2ClientTransport.Posix>

    /// Nil: it was done.
    func call(
        _ method: MethodDescriptor, _ bytes: [UInt8] = [], authorization: [String] = []
    ) async throws -> RPCError? {
        var metadata = Metadata()
        for value in authorization { metadata.addString(value, forKey: "authorization") }
        let request = StreamingClientRequest<[UInt8]>(metadata: metadata) { writer in
            try await writer.write(bytes)
        }
        var options = CallOptions.defaults
        options.timeout = .seconds(20)
        return try await client.bidirectionalStreaming(
            request: request, descriptor: method, serializer: Plain(), deserializer: Plain(),
            options: options
        ) { response in
            do {
                for try await _ in response.messages { return nil }
                return nil
            } catch let error as RPCError {
                return error
            }
        }
    }

    static func with<Value: Sendable>(
        _ port: Int, _ body: (RawClient) async throws -> Value
    ) async throws -> Value {
        try await withGRPCClient(
            transport: .http2NIOPosix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
        ) { try await body(RawClient(client: $0)) }
    }
}
