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

    static let columns = Keys.allCases.map(\.rawValue)

    var cells: [String] {
        [
            "\(jobs)", number(enqueuePerS), number(processPerS), number(lifecyclePerS),
            number(p50Ms),
            number(p99Ms), number(brokerCPUUsPerJob), number(brokerBytesPerJob), number(rssMB),
            "\(lost)",
            "\(duplicates)", number(reserveUsPerCall), backlog.map(String.init) ?? "-", broker,
            mode,
            "\(batch)", "\(payload)", "\(concurrency)", "\(callers)", tracking ? "on" : "off",
            events ? "on" : "off", machine,
        ]
    }

    private func number(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value >= 1000 ? "\(Int(value.rounded()))" : "\(value.rounded(to: 3))"
    }

    private enum Keys: String, CodingKey, CaseIterable {
        case jobs, enqueuePerS = "enqueue_per_s", processPerS = "process_per_s"
        case lifecyclePerS = "lifecycle_per_s", p50Ms = "p50_ms", p99Ms = "p99_ms"
        case brokerCPUUsPerJob = "broker_cpu_us_per_job", brokerBytesPerJob = "broker_bytes_per_job"
        case rssMB = "rss_mb", lost, duplicates, reserveUsPerCall = "reserve_us_per_call"
        case backlog, broker, mode, batch, payload, concurrency, callers, tracking, events, machine
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(jobs, forKey: .jobs)
        // Why `encode`: a figure that was not measured is null, not absent.
        try container.encode(enqueuePerS?.rounded(to: 0), forKey: .enqueuePerS)
        try container.encode(processPerS?.rounded(to: 0), forKey: .processPerS)
        try container.encode(lifecyclePerS?.rounded(to: 0), forKey: .lifecyclePerS)
        try container.encode(p50Ms, forKey: .p50Ms)
        try container.encode(p99Ms, forKey: .p99Ms)
        try container.encode(brokerCPUUsPerJob?.rounded(to: 2), forKey: .brokerCPUUsPerJob)
        try container.encode(brokerBytesPerJob?.rounded(to: 1), forKey: .brokerBytesPerJob)
        try container.encode(rssMB.rounded(to: 1), forKey: .rssMB)
        try container.encode(lost, forKey: .lost)
        try container.encode(duplicates, forKey: .duplicates)
        try container.encode(reserveUsPerCall, forKey: .reserveUsPerCall)
        try container.encode(backlog, forKey: .backlog)
        try container.encode(broker, forKey: .broker)
        try container.encode(mode, forKey: .mode)
        try container.encode(batch, forKey: .batch)
        try container.encode(payload, forKey: .payload)
        try container.encode(concurrency, forKey: .concurrency)
        try container.encode(callers, forKey: .callers)
        try container.encode(tracking, forKey: .tracking)
        try container.encode(events, forKey: .events)
        try container.encode(machine, forKey: .machine)
    }
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
