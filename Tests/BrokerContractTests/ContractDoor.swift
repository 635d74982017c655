// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC

/// A gRPC door before a broker of this process, on a free port of loopback.
struct ContractDoor: Sendable {
    let port: Int
    private let serving: Task<Void, any Error>

    init(before broker: any Broker) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let serving = Task {
            defer { port.finish() }
            try await QueueServer(
                broker, host: "127.0.0.1", port: 0, interceptors: [LetIn()]
            ) { port.yield($0) }.run()
        }
        guard let first = await ports.first(where: { _ in true }) else {
            try await serving.value
            throw CancellationError()
        }
        self.port = first
        self.serving = serving
    }

    func close() async {
        serving.cancel()
        _ = await serving.result
    }
}
