// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// A directory of its own for one test, and brokers on one file in it.
struct Scene: Sendable {
    let directory: String
    let clock = VirtualClock()

    var path: String { directory + "/jobs.db" }

    func open(_ change: (inout SQLiteOptions) -> Void = { _ in }) async throws -> SQLiteBroker {
        var options = SQLiteOptions()
        change(&options)
        return try await SQLiteBroker(path: path, time: clock, options: options)
    }

    /// The last three octal digits of a file's mode.
    func mode(of suffix: String) throws -> String {
        var info = stat()
        try #require(stat(path + suffix, &info) == 0, "there is no \(path + suffix)")
        return String(info.st_mode & 0o777, radix: 8)
    }

    func size(of suffix: String) -> Int {
        var info = stat()
        return stat(path + suffix, &info) == 0 ? Int(info.st_size) : 0
    }
}

func withScene(_ body: (Scene) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("godwit-sqlite-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body(Scene(directory: directory))
}

extension QueueName {
    static let work: QueueName = "work"
}

extension Kind {
    static let mail: Kind = "mail"
}

func samples(_ count: Int, size: Int = 100, at time: Timestamp) -> [NewMessage] {
    (0..<count).map { _ in
        NewMessage(
            id: MessageID(at: time), kind: .mail, body: [UInt8](repeating: 7, count: size))
    }
}

extension SQLiteBroker {
    /// Enqueues fresh messages and returns their ids.
    @discardableResult
    func enqueue(_ count: Int, size: Int = 100) async throws -> [MessageID] {
        let fresh = samples(count, size: size, at: time.now())
        let outcomes = try await enqueue(fresh, to: .work)
        #expect(outcomes.allSatisfy { $0 == .enqueued })
        return fresh.map(\.id)
    }
}

/// The error that `body` ends with; a test that expects one fails when there is none.
func brokerError(_ body: () async throws -> Void) async throws -> BrokerError {
    do {
        try await body()
    } catch let error as BrokerError {
        #expect(!error.problem.advice.isEmpty, "an error says what to do")
        return error
    }
    throw NoError()
}

struct NoError: Error {}
