// SPDX-License-Identifier: Apache-2.0
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Godwit
import GodwitProtos
import Synchronization

/// A `godwit.v1.Handler` that does what a closure says.
final class GRPCService: Godwit_V1_Handler.SimpleServiceProtocol {
    typealias Answer =
        @Sendable (Godwit_V1_HandleRequest, Int) async throws -> Godwit_V1_HandleResponse

    private let answer: Answer
    private let seen = Mutex<[Godwit_V1_HandleRequest]>([])

    init(_ answer: @escaping Answer) { self.answer = answer }

    var requests: [Godwit_V1_HandleRequest] { seen.withLock { $0 } }

    func handle(
        request: Godwit_V1_HandleRequest, context: ServerContext
    ) async throws -> Godwit_V1_HandleResponse {
        let number = seen.withLock { seen in
            seen.append(request)
            return seen.count - 1
        }
        return try await answer(request, number)
    }

    /// Runs a server for the length of `body`, which gets it and its address.
    static func run<R: Sendable>(
        on port: Int = 0, _ answer: @escaping Answer,
        _ body: @Sendable (GRPCService, String) async throws -> R
    ) async throws -> R {
        let service = GRPCService(answer)
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: "127.0.0.1", port: port), transportSecurity: .plaintext),
            services: [service])
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            let address = try await server.listeningAddress
            defer { group.cancelAll() }
            return try await body(service, "127.0.0.1:\(address?.ipv4?.port ?? 0)")
        }
    }
}
