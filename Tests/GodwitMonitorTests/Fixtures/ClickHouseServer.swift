// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestRedis

/// A clickhouse-server of the tests' own: on loopback, in a temporary directory.
///
/// It ends with ``stop()``, and also when the test process dies in any way: a watcher reads from a
/// pipe that only this process holds open, and kills the server when it closes.
final class ClickHouseServer: Sendable {
    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    let port: Int
    let directory: URL
    private let running = Mutex<(server: ChildProcess, watcher: ChildProcess)?>(nil)

    /// A fresh database name on it, as a URL of a history.
    static let password = "it's a \\ secret"

    static func start() async throws -> ClickHouseServer {
        let server = try ClickHouseServer()
        do {
            try await server.launch()
            return server
        } catch {
            await server.stop()
            throw error
        }
    }

    private init() throws {
        port = try RedisServer.freePort()
        directory = URL(fileURLWithPath: "/tmp/godwit-clickhouse-\(UUID().uuidString.prefix(13))")
        for folder in ["data", "tmp", "format"] {
            try FileManager.default.createDirectory(
                at: directory.appendingPathComponent(folder), withIntermediateDirectories: true)
        }
        try Self.configuration(directory.path, port, try RedisServer.freePort()).write(
            to: directory.appendingPathComponent("config.xml"), atomically: true, encoding: .utf8)
        try Self.users.write(
            to: directory.appendingPathComponent("users.xml"), atomically: true, encoding: .utf8)
    }

    func stop() async {
        await end()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Ends the server at once, as a crash would.
    func end() async {
        let last = running.withLock { running in
            defer { running = nil }
            return running
        }
        // The watcher goes first: afterwards the server's number may be another's.
        await last?.watcher.kill()
        await last?.server.kill()
    }

    /// Starts it with the files that are there.
    func launch() async throws {
        let none = open("/dev/null", O_RDWR)
        defer { close(none) }
        let server = try ChildProcess(
            try Self.executable(),
            ["--config-file=\(directory.path)/config.xml"], in: directory.path, input: none,
            output: none, errors: none)
        let (reading, writing) = try Spawned.pipe()
        let watcher = try ChildProcess(
            "/bin/sh", ["-c", "read _; kill -9 \(server.pid)"], input: reading, output: none,
            errors: none)
        close(reading)
        // `writing` stays open until this process ends: the watcher waits for that.
        _ = writing
        running.withLock { $0 = (server, watcher) }
        let hasEnded = Atomic(false)
        Task {
            await server.end()
            hasEnded.store(true, ordering: .relaxed)
        }
        let limit = ContinuousClock.now + .seconds(60)
        while !Self.answers(port) {
            if hasEnded.load(ordering: .relaxed) || ContinuousClock.now > limit {
                let log = try? String(
                    contentsOf: directory.appendingPathComponent("errors"), encoding: .utf8)
                throw StartError(
                    description: "clickhouse-server does not answer: \((log ?? "").suffix(500))")
            }
            // Not a wait for work to be done: nothing else tells when a socket is open.
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private static func executable() throws -> String {
        let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in paths + ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"] {
            let path = "\(folder)/clickhouse-server"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw StartError(
            description: "clickhouse-server is not installed: apt-get install clickhouse-server")
    }

    private static func answers(_ port: Int) -> Bool {
        #if os(Linux)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func configuration(_ path: String, _ port: Int, _ other: Int) -> String {
        """
        <?xml version="1.0"?>
        <yandex>
          <logger><level>error</level><log>\(path)/log</log><errorlog>\(path)/errors</errorlog></logger>
          <http_port>\(port)</http_port><tcp_port>\(other)</tcp_port>
          <listen_host>127.0.0.1</listen_host>
          <path>\(path)/data/</path><tmp_path>\(path)/tmp/</tmp_path>
          <format_schema_path>\(path)/format/</format_schema_path>
          <users_config>\(path)/users.xml</users_config>
          <default_profile>default</default_profile><default_database>default</default_database>
          <mark_cache_size>67108864</mark_cache_size>
          <uncompressed_cache_size>0</uncompressed_cache_size>
        </yandex>
        """
    }

    private static let users = """
        <?xml version="1.0"?>
        <yandex>
          <profiles>
            <default><max_memory_usage>2000000000</max_memory_usage></default>
            <reading><readonly>1</readonly></reading>
          </profiles>
          <users>
            <default>
              <password></password><networks><ip>127.0.0.1</ip></networks>
              <profile>default</profile><quota>default</quota>
            </default>
            <guarded>
              <password>\(password)</password><networks><ip>127.0.0.1</ip></networks>
              <profile>default</profile><quota>default</quota>
            </guarded>
            <reader>
              <password></password><networks><ip>127.0.0.1</ip></networks>
              <profile>reading</profile><quota>default</quota>
            </reader>
          </users>
          <quotas><default></default></quotas>
        </yandex>
        """
}

/// One clickhouse-server for the whole test process; each test has a database of its own.
enum SharedClickHouse {
    // Why a task and not a lock: all tests begin at once, and all of them wait for the one start.
    private static let server = Task {
        let server = try await ClickHouseServer.start()
        directory.withLock { $0 = server.directory }
        atexit { SharedClickHouse.removeFiles() }
        return server
    }
    private static let directory = Mutex<URL?>(nil)
    private static let lastDatabase = Atomic(0)

    static func port() async throws -> Int { try await server.value.port }

    static func freshDatabase() -> String {
        "test_\(lastDatabase.add(1, ordering: .relaxed).newValue)"
    }

    private static func removeFiles() {
        if let directory = directory.withLock({ $0 }) {
            try? FileManager.default.removeItem(at: directory)
        }
    }
}
