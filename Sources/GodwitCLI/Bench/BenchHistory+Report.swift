// SPDX-License-Identifier: Apache-2.0
import Foundation
import GodwitMonitor

struct HistoryBenchReport: Row {
    var history: String
    var mode = "history"
    var figures: HistoryFigures
    var rssMB = Machine.peakMemory.rounded(to: 1)
    var machine = Machine.line

    static let schema = "godwit.bench.history/1"
    static let columns: [Column<HistoryBenchReport>] = [
        .int("runs", "runs that were archived") { $0.figures.runs },
        .int("counted", "runs that the history counts") { $0.figures.counted },
        .number("archived_per_s", "runs a second") { $0.figures.archivedPerS.rounded(to: 0) },
        .number("sum_up_ms", "panes summed up") { $0.figures.sumUpMs.rounded(to: 1) },
        .number("stats_ms", "stats by kind, from panes") { $0.figures.statsMs.rounded(to: 1) },
        .number("stats_odd_ms", "stats of a range that no pane fits") {
            $0.figures.statsOddMs.rounded(to: 1)
        },
        .number("runs_ms", "a page of runs") { $0.figures.runsMs.rounded(to: 1) },
        .number("slowest_ms", "the slowest") { $0.figures.slowestMs.rounded(to: 1) },
        .number("groups_ms", "error groups") { $0.figures.groupsMs.rounded(to: 1) },
        .number("rate_ms", "rate by time") { $0.figures.rateMs.rounded(to: 1) },
        .number("rss_mb", "the most memory of this process") { $0.rssMB },
        .text("history", "the store") { $0.history },
        .text("mode", "what was measured") { $0.mode },
        .text("machine", "where") { $0.machine },
    ]
}

extension BenchQueue {
    /// Into the history named, or into a file that is gone afterwards.
    func measureHistory() async throws -> HistoryBenchReport {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-bench-\(UUID().uuidString)")
        if store.history == nil {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = store.history ?? "sqlite:\(folder.path)/history.db"
        let open: any HistoryStore
        do throws(HistoryError) { open = try await History.open(url) } catch {
            throw Failure(.unavailable, error.description)
        }
        do {
            let figures = try await BenchHistory(open, runs: jobs).measure()
            await open.shutdown()
            return HistoryBenchReport(
                history: store.history.map(Contexts.Context.shown) ?? "sqlite", figures: figures)
        } catch {
            await open.shutdown()
            throw error
        }
    }
}
