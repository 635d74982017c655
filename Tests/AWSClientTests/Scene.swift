// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import NIOCore
import Synchronization
import TestAWS

/// A clock that stands until it is moved, and waits that only count.
final class Stage: Sendable {
    private struct State {
        var now: Date
        var waits: [Duration] = []
    }

    private let state: Mutex<State>

    init(_ now: Date = Date()) { state = Mutex(State(now: now)) }

    var now: Date { state.withLock { $0.now } }
    var waits: [Duration] { state.withLock { $0.waits } }
    func advance(_ seconds: TimeInterval) { state.withLock { $0.now += seconds } }

    var surroundings: Surroundings {
        Surroundings(
            now: { self.now },
            sleep: { wait in
                try Task.checkCancellation()
                self.state.withLock { $0.waits.append(wait) }
            }, random: { 0.5 })
    }
}

/// A client of a server in this process.
func withS3<Result>(
    _ server: VerifyingServer, _ stage: Stage = Stage(),
    credentials: Credentials? = Credentials(
        accessKeyID: VerifyingServer.accessKey, secretAccessKey: VerifyingServer.secret),
    region: String = "eu-test-1", environment: [String: String] = [:],
    _ body: (S3) async throws -> Result
) async throws -> Result {
    let options = AWSOptions(
        region: region, endpoint: server.url, credentials: credentials,
        environment: environment.merging(["AWS_EC2_METADATA_DISABLED": "true"]) { $1 },
        surroundings: stage.surroundings)
    return try await withPool { pool in try await body(S3(options, pool)) }
}

func withPool<Result>(
    connections: Int = 8, _ body: (HTTPPool) async throws -> Result
) async throws -> Result {
    let pool = HTTPPool(connections: connections)
    do {
        let result = try await body(pool)
        await pool.shutdown()
        return result
    } catch {
        await pool.shutdown()
        throw error
    }
}

func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "godwit-aws-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

extension S3 {
    func read(
        _ bucket: String, _ key: String, _ range: Range<UInt64>? = nil, ifMatch: String? = nil
    ) async throws -> [UInt8] {
        let sink = Sink()
        _ = try await get(bucket, key, range, ifMatch: ifMatch) { sink.take($0.readableBytesView) }
        return sink.bytes
    }
}

/// The error of what must not work.
func failure(
    _ body: () async throws -> Void
) async throws -> AWSError? {
    do {
        try await body()
        return nil
    } catch let error as AWSError {
        return error
    }
}

/// The kind of the error of what must not work; nil where there is none, or another.
func kind(_ body: () async throws -> Void) async -> AWSError.Kind? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? AWSError)?.kind
    }
}
