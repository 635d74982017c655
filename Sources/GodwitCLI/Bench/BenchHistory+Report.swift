// SPDX-License-Identifier: Apache-2.0
import Foundation
import GodwitMonitor

struct HistoryBenchReport: Row {
    var history: String
    var mode = "history"
    var figures: HistoryFigures
    var rssMB = Machine.peakMemory.rounded(to: 1)
    var machine = Machine.line

    static let columns = [
        "runs", "counted", "archived/s", "sum up ms", "stats ms", "stats (odd range) ms", "runs ms",
        "slowest ms", "groups ms", "rate ms", "rss MB", "history", "machine",
    ]

    var cells: [String] {
        [
            "\(figures.runs)", "\(figures.counted)", "\(Int(figures.archivedPerS))",
            "\(figures.sumUpMs.rounded(to: 1))", "\(figures.statsMs.rounded(to: 1))",
            "\(figures.statsOddMs.rounded(to: 1))", "\(figures.runsMs.rounded(to: 1))",
            "\(figures.slowestMs.rounded(to: 1))", "\(figures.groupsMs.rounded(to: 1))",
            "\(figures.rateMs.rounded(to: 1))", "\(rssMB)", history, machine,
        ]
    }
}

extension BenchQueue {
    /// Into the history named, or into a file that is gone afterwards.
    func measureHistory() async throws -> HistoryBenchReport {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-bench-\(UUID().uuidString)")
        if history == nil {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = history ?? "sqlite:\(folder.path)/history.db"
        let open: any HistoryStore
        do throws(HistoryError) { open = try await History.open(url) } catch {
            throw Failure(.unavailable, error.description)
        }
        do {
            let figures = try await BenchHistory(open, runs: jobs).measure()
            await open.shutdown()
            return HistoryBenchReport(history: history ?? "sqlite", figures: figures)
        } catch {
            await open.shutdown()
            throw error
        }
    }
}
