// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// moto: S3 and SQS in one process, by other people. It checks no signatures and keeps all in memory.
///
/// A shell starts it and reads from a pipe that only this process holds open: when this process ends,
/// in whatever way, the shell kills it.
public final class MotoServer: Sendable {
    public struct StartError: Error, CustomStringConvertible {
        public let description: String
    }

    public let url: String
    /// Held open for as long as the server is to live.
    private let life: Mutex<FileHandle?>

    private init(url: String, _ life: FileHandle) {
        self.url = url
        self.life = Mutex(life)
    }

    private actor Shared {
        var starting: Task<MotoServer, any Error>?

        func server() async throws -> MotoServer {
            let task = starting ?? Task { try await MotoServer.start() }
            starting = task
            return try await task.value
        }
    }

    private static let one = Shared()

    /// The one server of this test process: take a bucket and queues of your own.
    public static func shared() async throws -> MotoServer { try await one.server() }

    /// Starts a server on a free port and returns when it listens.
    public static func start() async throws -> MotoServer {
        let program = try await program()
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "\"$0\" -H 127.0.0.1 -p 0 </dev/null & read _; kill -9 $!", program,
        ]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        var environment = ProcessInfo.processInfo.environment
        environment["PYTHONUNBUFFERED"] = "1"
        process.environment = environment
        try process.run()
        let url = try await withCheckedThrowingContinuation {
            (ready: CheckedContinuation<String, any Error>) in
            let state = Mutex<(String, CheckedContinuation<String, any Error>?)>(("", ready))
            output.fileHandleForReading.readabilityHandler = { handle in
                let data = handle.availableData
                state.withLock { state in
                    // Why read on when it runs: a full pipe would stop it.
                    guard let waiting = state.1 else { return }
                    state.0 += String(decoding: data, as: UTF8.self)
                    if let found = state.0.firstMatch(of: /Running on (http:\S+:[0-9]+)/) {
                        waiting.resume(returning: String(found.1))
                        state.1 = nil
                    } else if data.isEmpty {
                        waiting.resume(
                            throwing: StartError(description: "moto_server ended: \(state.0)"))
                        state.1 = nil
                    }
                }
                if data.isEmpty { handle.readabilityHandler = nil }
            }
        }
        return MotoServer(url: url, input.fileHandleForWriting)
    }

    public func stop() {
        life.withLock { life in
            try? life?.close()
            life = nil
        }
    }

    /// That of the pinned environment, or of the path; else the environment is made.
    private static func program() async throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let folders =
            ["\(root.path)/.build-python/bin"]
            + (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(
                String.init)
        for folder in folders {
            let path = "\(folder)/moto_server"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = root.appendingPathComponent("scripts/moto.sh")
        process.standardOutput = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let path = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard process.terminationStatus == 0, FileManager.default.isExecutableFile(atPath: path)
        else {
            throw StartError(
                description:
                    "moto_server is needed and scripts/moto.sh could not install it: run it by hand"
            )
        }
        return path
    }
}
