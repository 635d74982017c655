// SPDX-License-Identifier: Apache-2.0
import Dispatch
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
        let command = try command()
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            [
                // The shell lets go of the output: else nobody would hear that the server has ended.
                "-c", "\"$0\" \"$@\" </dev/null & exec >/dev/null 2>&1; read _; kill -9 $!",
            ] + command
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        var environment = ProcessInfo.processInfo.environment
        environment["PYTHONUNBUFFERED"] = "1"
        process.environment = environment
        try process.run()
        let start = Start()
        output.fileHandleForReading.readabilityHandler = { handle in
            // Why read on when it runs: a full pipe would stop it.
            let data = handle.availableData
            start.heard(data)
            if data.isEmpty { handle.readabilityHandler = nil }
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + 60) { start.giveUp() }
        do {
            let url = try await start.url()
            return MotoServer(url: url, input.fileHandleForWriting)
        } catch {
            try? input.fileHandleForWriting.close()
            throw error
        }
    }

    /// What the server says until it listens, ends, or has taken too long.
    private final class Start: Sendable {
        private struct State {
            var text = ""
            var result: Result<String, StartError>?
            var waiting: CheckedContinuation<Result<String, StartError>, Never>?
        }

        private let state = Mutex(State())

        func url() async throws -> String {
            let result = await withCheckedContinuation {
                (ready: CheckedContinuation<Result<String, StartError>, Never>) in
                let known = state.withLock { state -> Result<String, StartError>? in
                    if state.result == nil { state.waiting = ready }
                    return state.result
                }
                if let known { ready.resume(returning: known) }
            }
            return try result.get()
        }

        func heard(_ data: Data) {
            let text = state.withLock { state -> String in
                if state.result == nil { state.text += String(decoding: data, as: UTF8.self) }
                return state.text
            }
            if let found = text.firstMatch(of: /Running on (http:\S+:[0-9]+)/) {
                end(.success(String(found.1)))
            } else if data.isEmpty {
                end(.failure(StartError(description: "moto_server ended: \(text)")))
            }
        }

        func giveUp() {
            let text = state.withLock { $0.text }
            end(
                .failure(StartError(description: "moto_server does not listen after 60 s: \(text)"))
            )
        }

        /// The first end counts.
        private func end(_ result: Result<String, StartError>) {
            let waiting = state.withLock {
                state -> CheckedContinuation<Result<String, StartError>, Never>? in
                guard state.result == nil else { return nil }
                state.result = result
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(returning: result)
        }
    }

    public func stop() {
        life.withLock { life in
            try? life?.close()
            life = nil
        }
    }

    /// How to start it, of the pinned environment or of the path.
    ///
    /// Why by its Python: werkzeug writes head and body apart, and Nagle's algorithm holds the second
    /// until the first is acknowledged, 40 ms later.
    private static func command() throws -> [String] {
        let program = try program()
        let place = ["-H", "127.0.0.1", "-p", "0"]
        guard let python = python(of: program) else { return [program] + place }
        let script = """
            import socketserver, sys
            socketserver.StreamRequestHandler.disable_nagle_algorithm = True
            from moto.server import main
            main(sys.argv[1:])
            """
        return [python, "-c", script] + place
    }

    /// The Python in the first line of a script, or else beside it.
    private static func python(of program: String) -> String? {
        let text = (try? String(contentsOfFile: program, encoding: .utf8)) ?? ""
        let first = text.split(separator: "\n").first ?? ""
        let beside = URL(fileURLWithPath: program).deletingLastPathComponent()
            .appendingPathComponent("python3").path
        let named = first.hasPrefix("#!") ? String(first.dropFirst(2)) : ""
        return [named, beside].first {
            $0.contains("python") && FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    /// Nothing is installed here: that takes minutes, and the tests have a time limit.
    private static func program() throws -> String {
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
        throw StartError(description: "moto_server is needed: run make moto")
    }
}
