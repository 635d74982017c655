// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore
import Synchronization

/// The standard health service: SERVING while the store answers and the server does not end.
///
/// Needs no token, and says nothing else. However many ask, the store is asked once in
/// ``HealthService/fresh``.
struct HealthService: Grpc_Health_V1_Health.ServiceProtocol {
    static let fresh = Duration.seconds(2)
    /// Watches at once: nobody needs a token for one, and each holds memory.
    static let mostWatches = 1000

    private let time: any TimeSource
    private let closing: Closing
    private let names: Set<String>
    private let pulse: SharedReading<Bool>
    private let watches = Watches()

    /// `services` are the full names of those beside it.
    init(_ broker: any Broker, services: [String], closing: Closing) {
        time = broker.time
        names = Set(services + ["", Grpc_Health_V1_Health.descriptor.fullyQualifiedService])
        self.closing = closing
        pulse = SharedReading(time: broker.time, failuresLast: Self.fresh) {
            () async throws(BrokerError) in
            _ = try await broker.board.note("health", in: .state)
            return true
        }
    }

    func check(
        request: ServerRequest<Grpc_Health_V1_HealthCheckRequest>, context: ServerContext
    ) async throws -> ServerResponse<Grpc_Health_V1_HealthCheckResponse> {
        guard names.contains(request.message.service) else {
            throw RPCError(code: .notFound, message: "no such service")
        }
        return ServerResponse(message: Self.response(await status()))
    }

    func watch(
        request: ServerRequest<Grpc_Health_V1_HealthCheckRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Grpc_Health_V1_HealthCheckResponse> {
        let isKnown = names.contains(request.message.service)
        return StreamingServerResponse { writer in
            guard watches.begin() else {
                throw RPCError(code: .resourceExhausted, message: "too many watch already")
            }
            defer { watches.end() }
            do {
                try await whileConnected(context) {
                    var last: Grpc_Health_V1_HealthCheckResponse.ServingStatus?
                    while !Task.isCancelled, !closing.hasBegun {
                        let now = isKnown ? await status() : .serviceUnknown
                        if now != last { try await writer.write(Self.response(now)) }
                        last = now
                        await pause()
                    }
                }
            } catch  where closing.hasBegun {
                // Why: the end of the server cancels its calls, and this client shall hear of it.
            }
            if closing.hasBegun, isKnown { try await writer.write(Self.response(.notServing)) }
            return [:]
        }
    }

    private func status() async -> Grpc_Health_V1_HealthCheckResponse.ServingStatus {
        if closing.hasBegun { return .notServing }
        return (try? await pulse.value(within: Self.fresh)) == true ? .serving : .notServing
    }

    private func pause() async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await time.sleep(for: Self.fresh) }
            tasks.addTask { await closing.wait() }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private static func response(
        _ status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
    ) -> Grpc_Health_V1_HealthCheckResponse {
        var response = Grpc_Health_V1_HealthCheckResponse()
        response.status = status
        return response
    }

    private final class Watches: Sendable {
        private let count = Mutex(0)

        func begin() -> Bool {
            count.withLock { count in
                if count >= HealthService.mostWatches { return false }
                count += 1
                return true
            }
        }

        func end() { count.withLock { $0 -= 1 } }
    }
}
