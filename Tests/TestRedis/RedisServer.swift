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
        /// What went wrong, with what the server said.
        public let description: String
    }

    private struct Running {
        var server: ChildProcess
        var watcher: ChildProcess
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
    public func kill() async { await end() }

    /// Starts it again at the same address with the same files.
    public func restart() async throws {
        await end()
        try await launch()
    }

    /// Ends the server and removes its files. Repeated: nothing happens.
    public func stop() async {
        await end()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Stops the server's clock, so to speak: it keeps its connections and answers nobody.
    public func pause() { signal(SIGSTOP) }

    /// Lets it go on after `pause()`.
    public func resume() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        running.withLock { running in
            running?.server.signal(number)
        }
    }

    private func launch() async throws {
        let executable = try Self.executable()
        let words =
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socketPath,
                "--save", "", "--appendonly", "no", "--dir", directory.path, "--logfile", "",
                "--daemonize", "no",
            ] + arguments
        try await withCheckedThrowingContinuation { ready in
            let waiting = Mutex<CheckedContinuation<Void, any Error>?>(ready)
            let log = Mutex("")
            @Sendable func tell(_ result: Result<Void, any Error>) {
                let ready = waiting.withLock { waiting in
                    defer { waiting = nil }
                    return waiting
                }
                ready?.resume(with: result)
            }
            do {
                let server = try ChildProcess(executable, words) { said in
                    guard let said else {
                        let text = log.withLock { $0 }
                        return tell(
                            .failure(StartError(description: "redis-server ended: \(text)")))
                    }
                    log.withLock { $0 = said }
                    // The last line it says when all its doors are open names the socket.
                    if said.contains("ready to accept connections at") { tell(.success(())) }
                }
                let watcher = try ChildProcess(
                    "/bin/sh", ["-c", "read _; kill -9 \(server.pid)"]
                ) { _ in }
                running.withLock { $0 = Running(server: server, watcher: watcher) }
            } catch {
                tell(.failure(error))
            }
        }
    }

    private func end() async {
        let last = running.withLock { running in
            defer { running = nil }
            return running
        }
        // The watcher goes first: afterwards the server's number may be another's.
        await last?.watcher.kill()
        await last?.server.kill()
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

/// Runs `body` against a server of its own, stopped at the end however it ends.
public func withServer(
    _ arguments: [String] = [], _ body: (RedisServer) async throws -> Void
) async throws {
    let server = try await RedisServer.start(arguments: arguments)
    do { try await body(server) } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}
