// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite
import TestRedis
import Testing

/// The brokers that several processes can share.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite = "SQLite"
    case redis = "Redis"

    var testDescription: String { rawValue }
}

/// A fresh store of a test's own, and how a worker process names it.
struct Store: Sendable {
    let kind: StoreKind
    let name: String
    let broker: any StreamBroker

    /// Whether others can write while this process is stopped; where they can't, it goes on.
    func canBeWritten(beside process: WorkerProcess) async -> Bool {
        let broker = broker
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                _ = try? await broker.promote(in: "crash")
                return true
            }
            group.addTask {
                await broker.time.sleep(for: .milliseconds(250))
                return false
            }
            let first = await group.next() ?? false
            if !first { process.resume() }
            group.cancelAll()
            return first
        }
    }
}

func withStore<R>(_ kind: StoreKind, _ body: (Store) async throws -> R) async throws -> R {
    switch kind {
    case .sqlite:
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-crash-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("jobs.db").path
        let broker = try await SQLiteBroker(path: path)
        return try await use(Store(kind: kind, name: "sqlite:\(path)", broker: broker), body)
    case .redis:
        let url = try await SharedRedis.freshURL()
        return try await use(
            Store(kind: kind, name: url, broker: try await RedisBroker(url)), body)
    }
}

private func use<R>(_ store: Store, _ body: (Store) async throws -> R) async throws -> R {
    do {
        let result = try await body(store)
        await store.broker.shutdown()
        return result
    } catch {
        await store.broker.shutdown()
        throw error
    }
}
