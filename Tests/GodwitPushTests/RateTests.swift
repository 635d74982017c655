// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitProtos
import GodwitPush
import Testing

private let count = Int(ProcessInfo.processInfo.environment["GODWIT_PUSH_RATE"] ?? "") ?? 0

/// How many messages that do nothing are pushed in a second, with the service in the same process.
///
/// Runs only where `GODWIT_PUSH_RATE` says how many messages; it proves nothing and prints a figure.
@Suite(.serialized, .enabled(if: count > 0)) struct `Rate` {
    private func measure(_ name: String, _ push: Push, concurrency: Int) async throws {
        let queue = Queue("work", on: MemoryBroker())
        _ = try await queue.enqueue(
            kind: "job", payloads: Array(repeating: [1, 2, 3], count: count), as: .bytes, [])
        let worker = Worker(queue, concurrency: concurrency) { jobs in
            jobs.handleAll { try await push($0, $1) }
        }
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await push.run() }
            try await worker.run(until: .drained)
            group.cancelAll()
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        print("\(name), \(concurrency) at once: \(Int(Double(count) / seconds)) messages/s")
    }

    @Test(arguments: [1, 16, 64])
    func `over HTTP`(_ concurrency: Int) async throws {
        try await HTTPService.run { service in
            var options = PushOptions()
            options.connections = concurrency
            let push = try Push(
                to: .http(service.url, secrets: [Scene.secret]), options: options)
            try await measure("HTTP", push, concurrency: concurrency)
            #expect(service.requests.count == count)
        }
    }

    @Test(arguments: [1, 16, 64])
    func `over gRPC`(_ concurrency: Int) async throws {
        try await GRPCService.run({ _, _ in .init() }) { service, address in
            let push = try Push(to: .grpc(address, .plaintext))
            try await measure("gRPC", push, concurrency: concurrency)
            #expect(service.requests.count == count)
        }
    }
}
