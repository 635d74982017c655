// SPDX-License-Identifier: Apache-2.0
public import Foundation
import Synchronization

/// A redis-server of a test's own: on loopback and on a Unix socket, in a temporary directory.
///
/// The server ends with `stop()`, and also when the test process dies in any way: a watcher reads
/// from a pipe that only this process holds open, and kills the server when it closes.
public final class RedisServer: Sendable {
    /// Why a server could not be started.
    public struct StartError: Error, CustomStringConvertible {
        public let description: String
    }

    private struct Running {
        var server: Process
        var watcher: Process
        var lifeline: Pipe
    }

    /// The TCP port; 0 when the arguments turned TCP off.
    public let port: Int
    /// Holds the socket and whatever the server writes; gone after `stop()`.
    public let directory: URL
    private let arguments: [String]
    private let running = Mutex<Running?>(nil)

    /// The path of the Unix socket.
    public var socketPath: String { directory.appendingPathComponent("redis.sock").path }
    /// The server by its socket.
    public var url: String { "redis+unix://\(socketPath)" }

    /// Starts a server without persistence and returns when it accepts connections.
    ///
    /// `arguments` come after the defaults, so they win: `["--appendonly", "yes"]`.
    public static func start(arguments: [String] = []) async throws -> RedisServer {
        var last: any Error = StartError(description: "never tried")
        // A free port may be taken by another test between finding and using it.
        for _ in 0..<5 {
            let server = try RedisServer(arguments: arguments)
            do {
                try await server.launch()
                return server
            } catch {
                last = error
                await server.stop()
            }
        }
        throw last
    }

    private init(arguments: [String]) throws {
        self.arguments = arguments
        port = try Self.freePort()
        // Why /tmp: a socket's path has room for about 100 bytes.
        directory = URL(fileURLWithPath: "/tmp/godwit-redis-\(UUID().uuidString.prefix(13))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    /// Ends the server at once, as a crash would.
    public func kill() async { await end(SIGKILL) }

    /// Starts it again at the same address with the same files.
    public func restart() async throws {
        await end(SIGKILL)
        try await launch()
    }

    /// Ends the server and removes its files. Repeated: nothing happens.
    public func stop() async {
        await end(SIGTERM)
        try? FileManager.default.removeItem(at: directory)
    }

    /// Stops the server's clock, so to speak: it keeps its connections and answers nobody.
    public func pause() { signal(SIGSTOP) }

    /// Lets it go on after `pause()`.
    public func resume() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        running.withLock { running in
            if let running { Foundation.kill(running.server.processIdentifier, number) }
        }
    }

    private func launch() async throws {
        let server = Process()
        server.executableURL = URL(fileURLWithPath: try Self.executable())
        server.currentDirectoryURL = directory
        server.arguments =
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socketPath,
                "--save", "", "--appendonly", "no", "--dir", directory.path, "--logfile", "",
                "--daemonize", "no",
            ] + arguments
        let output = Pipe()
        server.standardOutput = output
        server.standardError = output
        server.standardInput = FileHandle.nullDevice
        let log = Mutex("")
        let outcome: Result<Void, StartError> = try await withCheckedThrowingContinuation { ready in
            let waiting = Mutex<CheckedContinuation<Result<Void, StartError>, any Error>?>(ready)
            @Sendable func tell(_ result: Result<Void, StartError>) {
                let ready = waiting.withLock { waiting in
                    defer { waiting = nil }
                    return waiting
                }
                ready?.resume(returning: result)
            }
            output.fileHandleForReading.readabilityHandler = { handle in
                let data = handle.availableData
                guard !data.isEmpty else {
                    handle.readabilityHandler = nil
                    let text = log.withLock { $0 }
                    return tell(.failure(StartError(description: "redis-server ended: \(text)")))
                }
                let text = log.withLock { log in
                    if log.utf8.count < 1 << 16 { log += String(decoding: data, as: UTF8.self) }
                    return log
                }
                // "at <socket>" is the last of the lines it says when all its doors are open.
                if text.contains("ready to accept connections at") { tell(.success(())) }
            }
            do {
                try server.run()
                try watch(server)
            } catch {
                tell(.failure(StartError(description: "\(error)")))
            }
        }
        try outcome.get()
    }

    private func watch(_ server: Process) throws {
        let lifeline = Pipe()
        let watcher = Process()
        watcher.executableURL = URL(fileURLWithPath: "/bin/sh")
        watcher.arguments = ["-c", "read _; kill -9 \(server.processIdentifier)"]
        watcher.standardInput = lifeline
        watcher.standardOutput = FileHandle.nullDevice
        watcher.standardError = FileHandle.nullDevice
        try watcher.run()
        running.withLock {
            $0 = Running(server: server, watcher: watcher, lifeline: lifeline)
        }
    }

    private func end(_ signal: Int32) async {
        let last = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let last else { return }
        // The watcher goes first: afterwards the number may belong to another process.
        last.watcher.terminate()
        await Self.exit(of: last.watcher)
        Foundation.kill(last.server.processIdentifier, SIGCONT)
        Foundation.kill(last.server.processIdentifier, signal)
        await Self.exit(of: last.server)
        try? last.lifeline.fileHandleForWriting.close()
    }

    private static func exit(of process: Process) async {
        await withCheckedContinuation { done in
            // Why a thread: waiting blocks, and the tasks' threads are few.
            Thread.detachNewThread {
                process.waitUntilExit()
                done.resume()
            }
        }
    }

    private static func executable() throws -> String {
        let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in paths + ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"] {
            let path = "\(folder)/redis-server"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw StartError(description: "redis-server is not installed: apt-get install redis-server")
    }

    /// A TCP port that nobody has at this moment.
    public static func freePort() throws -> Int {
        #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, stream, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard bound else { throw StartError(description: "no free port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
