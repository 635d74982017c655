// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import CoreMetrics
import Foundation
import Godwit
import GodwitHTTP
import GodwitMonitor
import NIOCore
import TestRedis
import Testing

private struct Ping: Job {}

@Suite struct `A real Prometheus` {
    static let executable = "/usr/bin/prometheus"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: executable)))
    func `scrapes our server and knows our numbers`() async throws {
        let metrics = OpenMetricsFactory()
        let broker = MemoryBroker()
        let queue = withMetricsFactory(metrics) { Queue("mail", on: broker) }
        try await queue.enqueue(contentsOf: (0..<7).map { _ in Ping() })
        try await Worker(queue) { $0.handle(Ping.self) { _, _ in } }.run(until: .drained)
        try await queue.enqueue(contentsOf: [Ping(), Ping()])
        try await withServer(broker, metrics: metrics) { server in
            try await withPrometheus(scraping: server.address) { prometheus in
                try await prometheus.expect("up", 1)
                try await prometheus.expect(
                    #"godwit_enqueued_total{queue="mail",kind="Ping"}"#, 9)
                try await prometheus.expect(#"godwit_runs_total{verdict="ack"}"#, 7)
                try await prometheus.expect(#"godwit_jobs{queue="mail",state="ready"}"#, 2)
                try await prometheus.expect(
                    #"godwit_run_seconds_bucket{queue="mail",le="+Inf"}"#, 7)
                try await prometheus.expect("godwit_wait_seconds_count", 7)
                try await prometheus.expect("godwit_store_up", 1)
            }
        }
    }

    private func withPrometheus(
        scraping address: ListenAddress, _ body: (Prometheus) async throws -> Void
    ) async throws {
        let directory = URL(fileURLWithPath: "/tmp/godwit-prometheus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let config = directory.appendingPathComponent("prometheus.yml")
        try """
        global:
          scrape_interval: 1s
        scrape_configs:
          - job_name: godwit
            static_configs:
              - targets: ['\(address)']

        """.write(to: config, atomically: true, encoding: .utf8)
        let log = directory.appendingPathComponent("log")
        let (port, null) = (try RedisServer.freePort(), open("/dev/null", O_RDWR | O_CLOEXEC))
        let output = open(log.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let pipe = try Spawned.pipe()
        defer {
            for descriptor in [null, output, pipe.reading, pipe.writing] { close(descriptor) }
        }
        let server = try ChildProcess(
            Self.executable,
            [
                "--config.file=\(config.path)", "--storage.tsdb.path=\(directory.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
            ], input: null, output: output, errors: output)
        // Ends the server also when this process dies: the pipe's other end closes then.
        let watcher = try ChildProcess(
            "/bin/sh", ["-c", "read _; kill -9 \(server.pid)"], input: pipe.reading, output: null,
            errors: null)
        do {
            try await body(Prometheus(port: port, log: log))
        } catch {
            await watcher.kill()
            await server.kill()
            throw error
        }
        await watcher.kill()
        await server.kill()
    }
}

private struct Prometheus {
    let port: Int
    let log: URL

    private struct Reply: Decodable {
        struct Data: Decodable { var result: [Series] }
        struct Series: Decodable { var value: [Value] }
        enum Value: Decodable {
            case number(Double), text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let text = try? container.decode(String.self) {
                    self = .text(text)
                } else {
                    self = .number(try container.decode(Double.self))
                }
            }
        }
        var data: Data
    }

    /// Asks until the query has one result of this value; a minute is enough for any machine.
    func expect(
        _ query: String, _ value: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let limit = ContinuousClock.now + .seconds(60)
        var last: [String] = []
        while ContinuousClock.now < limit {
            last = (try? await ask(query)) ?? []
            if last.count == 1, let text = last.first, Double(text) == value { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        Issue.record(
            "\(query) is \(last), not \(value). Prometheus says: \(said.suffix(2000))",
            sourceLocation: sourceLocation)
        throw CancellationError()
    }

    private func ask(_ query: String) async throws -> [String] {
        var address = URLComponents()
        address.scheme = "http"
        address.host = "127.0.0.1"
        address.port = port
        address.path = "/api/v1/query"
        address.queryItems = [URLQueryItem(name: "query", value: query)]
        // Why: URLComponents leaves a plus as it is, and a form reads it as a space.
        let url = (address.string ?? "").replacingOccurrences(of: "+", with: "%2B")
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: url), timeout: .seconds(5))
        let body = try await response.body.collect(upTo: 1 << 20)
        let reply = try JSONDecoder().decode(Reply.self, from: Data(body.readableBytesView))
        return reply.data.result.map { series in
            if case .text(let text)? = series.value.last { return text }
            return ""
        }
    }
}
