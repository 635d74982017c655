// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import CoreMetrics
import Foundation
import Godwit
import GodwitHTTP
import GodwitMonitor
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// An answer, whole.
struct Answer: Sendable {
    var status: UInt
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A server of ours that runs for one test, and how to ask it.
struct RunningServer: Sendable {
    let address: ListenAddress

    func get(_ path: String, _ headers: [(String, String)] = []) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://\(address)\(path)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 64 << 20)
        return Answer(
            status: response.status.code,
            headers: Dictionary(
                response.headers.map { ($0.name.lowercased(), $0.value) },
                uniquingKeysWith: { one, _ in one }),
            body: Array(body.readableBytesView))
    }
}

/// Runs `body` against a server on a port of its own, which ends with it.
func withServer(
    _ broker: any Broker, metrics: OpenMetricsFactory = OpenMetricsFactory(),
    on address: String = "127.0.0.1:0", hosts: [String] = [], token: String? = nil,
    allowsAnybody: Bool = false,
    _ body: @escaping @Sendable (RunningServer) async throws -> Void
) async throws {
    let (addresses, continuation) = AsyncStream.makeStream(of: ListenAddress.self)
    guard let listen = ListenAddress(address) else { throw CancellationError() }
    let server = try MonitorServer(
        broker, metrics: metrics, on: listen, hosts: hosts, token: token,
        allowsAnybody: allowsAnybody
    ) { continuation.yield($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            // Why: a server that never came up must not leave the test waiting for its address.
            defer { continuation.finish() }
            try await server.run()
        }
        var addresses = addresses.makeAsyncIterator()
        if let address = await addresses.next() {
            do {
                try await body(RunningServer(address: address))
            } catch {
                group.cancelAll()
                throw error
            }
        }
        group.cancelAll()
        do { try await group.waitForAll() } catch is CancellationError {}
    }
}
