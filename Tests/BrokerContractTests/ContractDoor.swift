// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC

/// A gRPC door before a broker of this process, on a free port of loopback.
struct ContractDoor: Sendable {
    let port: Int
    private let serving: Task<Void, any Error>

    init(before broker: any Broker) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var options = DoorOptions()
        options.port = 0
        options.letsAnybodyIn = true
        let server = try QueueServer(broker, options: options) { port.yield($0) }
        let serving = Task {
            defer { port.finish() }
            try await server.run()
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
