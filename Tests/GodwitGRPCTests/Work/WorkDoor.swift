// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import Logging
import Synchronization

/// Runs a door on a free port of this machine while `body` runs.
func withWorkDoor<Value: Sendable>(
    _ broker: any Broker, port: Int = 0, limits: DoorLimits = DoorLimits(),
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> Value {
    let (ports, started) = AsyncStream.makeStream(of: Int.self)
    let server = QueueServer(
        broker, host: "127.0.0.1", port: port, limits: limits,
        interceptors: [LetPass(caller: .anybody)]
    ) { started.yield($0) }
    return try await withThrowingTaskGroup(of: Value?.self) { tasks in
        tasks.addTask {
            defer { started.finish() }
            try await server.run()
            return nil
        }
        tasks.addTask {
            for await port in ports { return try await body(port) }
            return nil
        }
        defer { tasks.cancelAll() }
        while let next = try await tasks.next() {
            if let value = next { return value }
        }
        throw BrokerError.unavailable(
            BrokerError.Problem(
                what: "test", location: "door", cause: "it ended by itself", advice: ""))
    }
}

func withRemote<Value: Sendable>(
    _ port: Int, _ body: @escaping @Sendable (RemoteBroker) async throws -> Value
) async throws -> Value {
    let broker = try await RemoteBroker(host: "127.0.0.1", port: port)
    do {
        let value = try await body(broker)
        await broker.shutdown()
        return value
    } catch {
        await broker.shutdown()
        throw error
    }
}

/// A client that says whatever a test wants it to say.
final class RawWork: Sendable {
    private let requests: AsyncStream<Godwit_V1_WorkRequest>
    private let feed: AsyncStream<Godwit_V1_WorkRequest>.Continuation
    private let answers: AsyncThrowingStream<Godwit_V1_WorkResponse, any Error>
    private let heard: AsyncThrowingStream<Godwit_V1_WorkResponse, any Error>.Continuation
    private let reads: Bool

    /// `reads: false`: it never reads a word.
    init(reads: Bool = true) {
        (requests, feed) = AsyncStream.makeStream()
        (answers, heard) = AsyncThrowingStream.makeStream()
        self.reads = reads
    }

    func say(_ change: (inout Godwit_V1_WorkRequest) -> Void) {
        var request = Godwit_V1_WorkRequest()
        change(&request)
        feed.yield(request)
    }

    func open(_ queue: String, credits: UInt32 = 0, leaseMs: Int64 = 0) {
        say {
            $0.open.queue = queue
            $0.open.leaseMs = leaseMs
            $0.credits = credits
        }
    }

    func ack(_ tokens: some Sequence<Godwit_V1_Delivery>, credits: UInt32 = 0) {
        say {
            $0.settlements = tokens.map { delivery in
                var settlement = Godwit_V1_Settlement()
                settlement.token = delivery.token
                settlement.verdict.ack = Godwit_V1_Ack()
                return settlement
            }
            $0.credits = credits
        }
    }

    func close() { feed.finish() }

    /// The next answer for which this holds; nil at the end.
    func next(
        _ isMeant: (Godwit_V1_WorkResponse) -> Bool = { _ in true }
    ) async throws -> Godwit_V1_WorkResponse? {
        for try await answer in answers where isMeant(answer) { return answer }
        return nil
    }

    /// Runs until `body` ends; its connection is then cut, whatever is on its way.
    static func with<Value: Sendable>(
        _ port: Int, reads: Bool = true,
        _ body: @escaping @Sendable (RawWork) async throws -> Value
    ) async throws -> Value {
        let work = RawWork(reads: reads)
        let client = GRPCClient(
            transport: try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext))
        return try await withThrowingTaskGroup(of: Value?.self) { tasks in
            tasks.addTask {
                try? await client.runConnections()
                return nil
            }
            tasks.addTask {
                do {
                    try await work.run(client)
                    work.heard.finish()
                } catch {
                    work.heard.finish(throwing: error)
                }
                return nil
            }
            tasks.addTask { try await body(work) }
            defer { tasks.cancelAll() }
            while let next = try await tasks.next() {
                if let value = next { return value }
            }
            throw CancellationError()
        }
    }

    private func run(_ client: GRPCClient<HTTP2ClientTransport.Posix>) async throws {
        let words = Godwit_V1_Queue.Client(wrapping: client)
        let requests = requests
        let heard = heard
        let reads = reads
        try await words.work(
            request: StreamingClientRequest { writer in
                for await request in requests { try await writer.write(request) }
            }
        ) { response in
            if !reads {
                let never = Signal()
                await never.wait()
                return
            }
            for try await message in response.messages { heard.yield(message) }
        }
    }
}

extension NewMessage {
    static func sample(_ kind: String = "test", bytes: Int = 10) throws -> NewMessage {
        let kind = try Kind(kind)
        return NewMessage(
            id: MessageID(at: SystemTime().now()), kind: kind,
            body: Envelope.body(
                kind: kind, contentType: .bytes, headers: [:],
                payload: [UInt8](repeating: 7, count: bytes)))
    }
}
