// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
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

        /// The items of a list.
        func array(_ location: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
            try #require(
                try object(location)["items"] as? [[String: Any]], "\(self)",
                sourceLocation: location)
        }
    }

    let name: String
    /// A program from elsewhere.
    var path: String?

    init(name: String) { self.name = name }
    init(path: String) {
        name = path
        self.path = path
    }

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

    var url: URL {
        path.map { URL(fileURLWithPath: $0) } ?? Self.products.appendingPathComponent(name)
    }

    /// Runs it to its end, with nothing of our environment that names a store.
    func run(
        _ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
        in directory: URL? = nil
    ) async throws -> Outcome {
        // Files, not pipes: they never fill up, and need no reader.
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-tool-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let files = ["in", "out", "err"].map { scratch.appendingPathComponent($0) }
        try input.write(to: files[0])
        try Data().write(to: files[1])
        try Data().write(to: files[2])
        let descriptors = [
            open(files[0].path, O_RDONLY | O_CLOEXEC), open(files[1].path, O_WRONLY | O_CLOEXEC),
            open(files[2].path, O_WRONLY | O_CLOEXEC),
        ]
        defer { for descriptor in descriptors { close(descriptor) } }
        try #require(descriptors.allSatisfy { $0 >= 0 })
        let end = try await ChildProcess(
            url.path, arguments, environment: Self.environment(environment), in: directory?.path,
            input: descriptors[0], output: descriptors[1], errors: descriptors[2]
        ).end()
        return Outcome(
            status: end.status,
            out: String(decoding: try Data(contentsOf: files[1]), as: UTF8.self),
            err: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
    }

    /// Starts it and leaves it running; what it says goes to `output` and `errors`, else nowhere.
    func start(
        _ arguments: [String], in directory: URL? = nil, output: Int32? = nil, errors: Int32? = nil
    ) throws -> ChildProcess {
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nowhere) }
        return try ChildProcess(
            url.path, arguments, environment: Self.environment([:]), in: directory?.path,
            input: nowhere, output: output ?? nowhere, errors: errors ?? nowhere)
    }

    /// The settings of all runs that name no other.
    private static let settings = FileManager.default.temporaryDirectory
        .appendingPathComponent("godwit-settings-\(UUID().uuidString)")

    /// Ours, with nothing that names a store.
    private static func environment(_ more: [String: String]) -> [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GODWIT_") }
            // Nobody's own contexts and keys.
            .merging(["XDG_CONFIG_HOME": settings.path]) { $1 }
            .merging(more) { $1 }
    }
}

extension ChildProcess.End {
    /// As a shell says it: the exit code, or 128 and the signal.
    var status: Int32 {
        switch self {
        case .exit(let code): code
        case .signal(let number): 128 + number
        }
    }
}

/// Waits until something is said. Why a thread: reading blocks, and the tasks' threads are few.
func firstWords(from descriptor: Int32) async {
    await withCheckedContinuation { done in
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(descriptor, &byte, 1) < 0, errno == EINTR {}
            done.resume()
        }
    }
}

/// A folder of a test's own, and a store: a queue's file in it, or a server.
struct Place: Sendable {
    let folder: URL
    let broker: String

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
        // 73: it was there already, and its id is printed too.
        try #require([0, 73].contains(outcome.status), "\(outcome)")
        return outcome.out.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func state(of id: String, in queue: String) async throws -> String? {
        let outcome = try await godwit("job", "show", queue, id, "-o", "json")
        guard outcome.status == 0 else { return nil }
        return try outcome.object()["state"] as? String
    }
}

/// Lends a place; its store is a file in its folder unless `broker` names another.
func withPlace<R>(
    on broker: String? = nil, _ body: (Place) async throws -> R
) async throws -> R {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("godwit-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(
        Place(folder: folder, broker: broker ?? "sqlite:\(folder.path)/jobs.db"))
}

/// The folder of the package, from where this file was compiled.
let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
