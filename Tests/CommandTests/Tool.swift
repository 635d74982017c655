// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import Testing

/// A built program beside the test bundle, run as a user runs it.
struct Tool: Sendable {
    /// What a run left behind.
    struct Outcome: Sendable {
        let status: Int32
        let out: String
        let err: String

        /// The last line of stdout as a JSON object.
        func object(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            let data = Data(out.utf8)
            return try #require(
                try JSONSerialization.jsonObject(with: data) as? [String: Any], "\(self)",
                sourceLocation: location)
        }

        func array(_ location: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
            try #require(
                try JSONSerialization.jsonObject(with: Data(out.utf8)) as? [[String: Any]],
                "\(self)",
                sourceLocation: location)
        }
    }

    let name: String

    static let godwit = Tool(name: "godwit")

    /// The folder of the build, in which the programs stand.
    static let products: URL = {
        // The test bundle is an executable in that folder; where it is started by another program,
        // its own path is the first argument that names it.
        let candidates =
            [
                Bundle.main.executableURL,
                CommandLine.arguments.first.map { URL(fileURLWithPath: $0) },
            ]
            .compactMap { $0 }
            + CommandLine.arguments.filter { $0.contains(".xctest") }.map {
                URL(fileURLWithPath: $0)
            }
        for url in candidates {
            var folder = url.deletingLastPathComponent()
            for _ in 0..<5 {
                if FileManager.default.isExecutableFile(
                    atPath: folder.appendingPathComponent("godwit").path)
                {
                    return folder
                }
                folder = folder.deletingLastPathComponent()
            }
        }
        return URL(fileURLWithPath: ".build/release")
    }()

    var url: URL { Self.products.appendingPathComponent(name) }

    /// Runs it to its end, with nothing of our environment that names a store.
    func run(
        _ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
        in directory: URL? = nil
    ) async throws -> Outcome {
        let process = process(arguments, environment: environment, in: directory)
        // Files, not pipes: they never fill up, and need no reader.
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-tool-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let files = ["in", "out", "err"].map { scratch.appendingPathComponent($0) }
        try input.write(to: files[0])
        try Data().write(to: files[1])
        try Data().write(to: files[2])
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        await Self.end(of: process)
        return Outcome(
            status: process.terminationStatus,
            out: String(decoding: try Data(contentsOf: files[1]), as: UTF8.self),
            err: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
    }

    func process(
        _ arguments: [String], environment: [String: String] = [:], in directory: URL? = nil
    ) -> Process {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        var values = ProcessInfo.processInfo.environment
        for name in values.keys where name.hasPrefix("GODWIT_") { values[name] = nil }
        process.environment = values.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = directory }
        return process
    }

    static func end(of process: Process) async {
        await withCheckedContinuation { done in
            // Why a thread: waiting blocks, and the tasks' threads are few.
            Thread.detachNewThread {
                process.waitUntilExit()
                done.resume()
            }
        }
    }
}

/// A folder of a test's own, with a queue's file in it.
struct Place: Sendable {
    let folder: URL

    var broker: String { "sqlite:\(folder.path)/jobs.db" }

    func file(_ name: String) -> URL { folder.appendingPathComponent(name) }

    /// `godwit …` on this place's file.
    @discardableResult
    func godwit(
        _ arguments: String..., input: String = "", environment: [String: String] = [:]
    ) async throws -> Tool.Outcome {
        try await Tool.godwit.run(
            arguments + ["--broker", broker], input: Data(input.utf8), environment: environment,
            in: folder)
    }

    /// Enqueues, and returns the id.
    func enqueue(_ arguments: String..., input: String = "") async throws -> String {
        let outcome = try await Tool.godwit.run(
            ["enqueue"] + arguments + ["--broker", broker], input: Data(input.utf8), in: folder)
        try #require(outcome.status == 0, "\(outcome)")
        return outcome.out.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func state(of id: String, in queue: String) async throws -> String? {
        let outcome = try await godwit("job", "show", queue, id, "-o", "json")
        guard outcome.status == 0 else { return nil }
        return try outcome.object()["state"] as? String
    }
}

func withPlace<R>(_ body: (Place) async throws -> R) async throws -> R {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("godwit-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(Place(folder: folder))
}

/// The folder of the package, from where this file was compiled.
let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
