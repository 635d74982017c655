// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Foundation
import GodwitMonitor
import Testing

/// Counts a little of everything.
private func filled() -> OpenMetricsFactory {
    let factory = OpenMetricsFactory()
    let mail = [("queue", "mail"), ("kind", "welcome")]
    Counter(label: "godwit_enqueued_total", dimensions: mail, factory: factory).increment(by: 12)
    Counter(
        label: "godwit_runs_total", dimensions: mail + [("verdict", "ack")], factory: factory
    ).increment(by: 11)
    let wait = CoreMetrics.Timer(
        label: "godwit_wait_seconds", dimensions: mail, factory: factory)
    for milliseconds in [1, 5, 6, 2000, 7_200_000] { wait.recordMilliseconds(milliseconds) }
    Recorder(label: "godwit_batch_size", dimensions: [("word", "settle")], factory: factory)
        .record(100)
    Meter(label: "pool.size", dimensions: [("id", "never"), ("state", "open")], factory: factory)
        .set(2.5)
    Counter(label: "godwit_clock_steps_total", factory: factory).increment(by: 0)
    return factory
}

private let read = [
    MetricFamily(
        "godwit_jobs", .gauge,
        [.init([.init("queue", "mail"), .init("state", "ready")], 3)]),
    MetricFamily("godwit_events_dropped", .counter, [.init([], 4)]),
    MetricFamily(
        "godwit_drain_seconds", .gauge, [.init([.init("queue", "mail")], .infinity)]),
]

private func golden(_ name: String) throws -> String {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try String(contentsOf: folder.appendingPathComponent("golden/\(name)"), encoding: .utf8)
}

@Suite struct `The text for scrapers` {
    @Test(arguments: [
        (MetricsFormat.openMetrics, "openmetrics.txt"), (.plainText, "plain.txt"),
    ])
    func `is what it was`(format: MetricsFormat, name: String) throws {
        let text = filled().text(as: format, with: read)
        #expect(String(decoding: text, as: UTF8.self) == (try golden(name)))
    }

    @Test(arguments: MetricsFormat.allCases)
    func `can be read back`(format: MetricsFormat) throws {
        let text = try ScrapedText(filled().text(as: format, with: read))
        let mail = ["queue": "mail", "kind": "welcome"]
        #expect(text.value("godwit_enqueued_total", mail) == 12)
        #expect(text.value("godwit_jobs", ["queue": "mail", "state": "ready"]) == 3)
        #expect(text.value("godwit_drain_seconds", ["queue": "mail"]) == .infinity)
        #expect(text.value("godwit_events_dropped_total") == 4)
        #expect(text.isEnded == (format == .openMetrics))
        let counter = format == .openMetrics ? "godwit_enqueued" : "godwit_enqueued_total"
        #expect(text.types[counter] == "counter")
        #expect(text.units["godwit_wait_seconds"] == (format == .openMetrics ? "seconds" : nil))
    }

    @Test func `has buckets that add up to the count`() throws {
        let text = try ScrapedText(filled().text())
        let labels = ["queue": "mail", "kind": "welcome"]
        let buckets = text.buckets("godwit_wait_seconds", labels)
        #expect(buckets.count == 17)
        #expect(buckets.first?.le == "0.005")
        #expect(buckets.dropLast().last?.le == "3600.0")
        #expect(buckets.last?.le == "+Inf")
        // 1 and 5 ms, then 6 ms; 2 s from the bucket of 2.5 s on; two hours only in the last.
        #expect(
            buckets.map(\.count) == [2] + Array(repeating: 3, count: 7)
                + Array(repeating: 4, count: 8) + [5])
        #expect(text.value("godwit_wait_seconds_count", labels) == 5)
        #expect(text.value("godwit_wait_seconds_sum", labels) == 7202.012)
    }

    @Test(arguments: [
        "a\"b", "back\\slash", "line\nfeed", "}\n# EOF\nevil_total 1\n", "\\n", "ünï\u{202E}code",
        "", "\u{0}\u{1B}[2J", "\"} 1\nfake{x=\"",
    ])
    func `keeps a hostile label inside its quotes`(hostile: String) throws {
        for format in MetricsFormat.allCases {
            let factory = OpenMetricsFactory()
            Counter(
                label: "godwit_enqueued_total", dimensions: [("queue", hostile)], factory: factory
            ).increment()
            let read = [MetricFamily("godwit_jobs", .gauge, [.init([.init("queue", hostile)], 1)])]
            let text = try ScrapedText(factory.text(as: format, with: read))
            #expect(text.samples.count == 2)
            #expect(text.value("godwit_enqueued_total", ["queue": hostile]) == 1)
            #expect(text.value("godwit_jobs", ["queue": hostile]) == 1)
        }
    }

    @Test func `passes promtool, where it is installed`() throws {
        let promtool = "/usr/bin/promtool"
        guard FileManager.default.isExecutableFile(atPath: promtool) else { return }
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-\(UUID().uuidString).txt")
        // Why not the pool: a name that is not ours has no help, which promtool minds.
        let text = String(decoding: filled().text(as: .plainText, with: read), as: UTF8.self)
            .split(separator: "\n").filter { !$0.contains("pool_size") }
            .joined(separator: "\n")
        try (text + "\n").write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let input = try FileHandle(forReadingFrom: file)
        let (status, said) = try run(promtool, ["check", "metrics"], input: input)
        #expect(status == 0, "promtool says: \(said)")
    }

    private func run(
        _ path: String, _ arguments: [String], input: FileHandle
    ) throws -> (status: Int32, said: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}

@Suite struct `The format` {
    @Test(arguments: [
        (nil, MetricsFormat.openMetrics), ("*/*", .openMetrics), ("text/plain", .plainText),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", .plainText),
        (
            """
            application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
            version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1
            """, .openMetrics
        ),
        ("application/openmetrics-text; version=0.0.1, text/plain; q=0.3", .plainText),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.4", .plainText),
        ("image/png", .openMetrics),
    ])
    func `is what the scraper likes best`(accept: String?, format: MetricsFormat) {
        #expect(MetricsFormat(accept: accept) == format)
    }
}
