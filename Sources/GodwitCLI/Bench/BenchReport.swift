// SPDX-License-Identifier: Apache-2.0
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a bench found; nil where the mode does not measure it.
struct BenchReport: Row {
    var broker: String
    var mode: String
    var jobs: Int
    var batch: Int
    var payload: Int
    var concurrency: Int
    var callers: Int
    var tracking: Bool
    var events: Bool
    var backlog: Int?
    var enqueuePerS: Double?
    var processPerS: Double?
    var lifecyclePerS: Double?
    var reserveUsPerCall: Double?
    /// Enqueue → handler start.
    var p50Ms: Double?
    var p99Ms: Double?
    var brokerCPUUsPerJob: Double?
    var brokerBytesPerJob: Double?
    var rssMB = 0.0
    var lost = 0
    var duplicates = 0
    var machine = Machine.line

    static let schema = "godwit.bench/1"
    static let columns: [Column<BenchReport>] = [
        .int("jobs", "jobs") { $0.jobs },
        .number("enqueue_per_s", "enqueued a second") { $0.enqueuePerS?.rounded(to: 0) },
        .number("process_per_s", "handled a second") { $0.processPerS?.rounded(to: 0) },
        .number("lifecycle_per_s", "from the first enqueue to the last ack") {
            $0.lifecyclePerS?.rounded(to: 0)
        },
        .number("p50_ms", "enqueue to handler start, half are shorter") { $0.p50Ms },
        .number("p99_ms", "enqueue to handler start, 99 % are shorter") { $0.p99Ms },
        .number("broker_cpu_us_per_job", "the store's processor time") {
            $0.brokerCPUUsPerJob?.rounded(to: 2)
        },
        .number("broker_bytes_per_job", "the store's memory or file") {
            $0.brokerBytesPerJob?.rounded(to: 1)
        },
        .number("rss_mb", "the most memory of this process") { $0.rssMB.rounded(to: 1) },
        .int("lost", "jobs that never ran") { $0.lost },
        .int("duplicates", "jobs that ran twice") { $0.duplicates },
        .number("reserve_us_per_call", "with a backlog") { $0.reserveUsPerCall },
        .int("backlog", "messages that waited") { $0.backlog },
        .text("broker", "the store") { $0.broker },
        .text("mode", "what was measured") { $0.mode },
        .int("batch", "jobs per call") { $0.batch },
        .int("payload", "bytes") { $0.payload },
        .int("concurrency", "handlers at once") { $0.concurrency },
        .int("callers", "callers of single enqueue") { $0.callers },
        .flag("tracking", "the record also at reserve") { $0.tracking },
        .flag("events", "events for the history") { $0.events },
        .text("machine", "where") { $0.machine },
    ]
}

/// The machine that the bench ran on.
enum Machine {
    static var line: String {
        let info = ProcessInfo.processInfo
        let cpu = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return
            "\(info.activeProcessorCount) × \(cpu ?? "processor"), \(info.operatingSystemVersionString)"
    }

    /// The most memory that this process had, in MB.
    static var peakMemory: Double {
        var usage = rusage()
        // RUSAGE_SELF, whose type differs between systems.
        getrusage(0, &usage)
        #if os(Linux)
        return Double(usage.ru_maxrss) / 1024
        #else
        return Double(usage.ru_maxrss) / 1_048_576
        #endif
    }
}
