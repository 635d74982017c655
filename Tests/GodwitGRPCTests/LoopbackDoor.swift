// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GRPCCore

/// Lets every call pass as this caller, or as nobody.
struct LetPass: ServerInterceptor {
    let caller: Caller?

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        try await Caller.$current.withValue(caller) { try await next(request, context) }
    }
}

/// A gRPC door before a broker of this process, on a free port of loopback, and a client of it.
enum LoopbackDoor {
    /// Serves while `body` runs.
    static func serve(
        _ broker: any Broker, as caller: Caller? = .anybody,
        _ body: (Int) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let serving = Task {
            defer { port.finish() }
            try await QueueServer(
                broker, host: "127.0.0.1", port: 0, interceptors: [LetPass(caller: caller)]
            ) { port.yield($0) }.run()
        }
        guard let first = await ports.first(where: { _ in true }) else {
            return try await serving.value
        }
        do {
            try await body(first)
        } catch {
            serving.cancel()
            _ = await serving.result
            throw error
        }
        serving.cancel()
        _ = await serving.result
    }

    /// Opens a client too.
    static func open(
        _ broker: any Broker, as caller: Caller? = .anybody,
        _ body: (RemoteBroker) async throws -> Void
    ) async throws {
        try await serve(broker, as: caller) { port in
            let remote = try await RemoteBroker(host: "127.0.0.1", port: port, time: broker.time)
            do {
                try await body(remote)
            } catch {
                await remote.shutdown()
                throw error
            }
            await remote.shutdown()
        }
    }
}

/// Fails unless `body` is answered with the one text for what is forbidden and what is not there.
func isDenied(_ body: () async throws -> Void) async -> Bool {
    do {
        try await body()
        return false
    } catch BrokerError.misconfigured(let problem) {
        return problem.cause == Caller.denial.message
    } catch {
        return false
    }
}
