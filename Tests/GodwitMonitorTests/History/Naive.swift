// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

/// The answers, computed from the rows themselves in the plainest way.
struct Naive {
    var rows: [RunRow]

    func inside(_ range: HistoryRange) -> [RunRow] {
        rows.filter {
            $0.finishedAt >= range.from && $0.finishedAt < range.to
                && (range.queue ?? $0.queue) == $0.queue && (range.kind ?? $0.kind) == $0.kind
        }
    }

    func runs(_ query: RunQuery) -> [RunRow] {
        inside(query.range).filter { row in
            (query.verdicts?.contains(row.verdict) ?? true)
                && (query.fingerprint ?? row.fingerprint) == row.fingerprint
                && (query.worker ?? row.worker) == row.worker
                && (query.reason.map { row.reason.lowercased().contains($0.lowercased()) } ?? true)
        }.sorted { $0.finishedAt > $1.finishedAt }
    }

    func stats(_ range: HistoryRange) -> [RunStats] {
        Dictionary(grouping: inside(range)) { [$0.queue, $0.kind] }.map { key, rows in
            RunStats(
                queue: key[0], kind: key[1], runs: rows.count,
                verdicts: rows.reduce(into: [:]) { $0[$1.verdict.rawValue, default: 0] += 1 },
                failures: rows.count { $0.isFailure },
                wait: Self.spread(rows.compactMap(\.waitMilliseconds)),
                run: Self.spread(rows.compactMap(\.runMilliseconds)))
        }.sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
    }

    static func spread(_ values: [Int64]) -> Spread {
        guard !values.isEmpty else { return Spread() }
        let sorted = values.sorted().map(Double.init)
        func at(_ share: Double) -> Double {
            sorted[max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
        }
        return Spread(
            count: sorted.count, mean: sorted.reduce(0, +) / Double(sorted.count), p50: at(0.50),
            p95: at(0.95), p99: at(0.99), max: sorted.last ?? 0)
    }

    func groups(_ range: HistoryRange) -> [ErrorGroup] {
        Dictionary(grouping: inside(range).filter { !$0.fingerprint.isEmpty }) {
            [$0.fingerprint, $0.queue, $0.kind]
        }.map { key, rows in
            ErrorGroup(
                fingerprint: key[0], queue: key[1], kind: key[2], count: rows.count,
                firstAt: rows.map(\.finishedAt).min() ?? range.from,
                lastAt: rows.map(\.finishedAt).max() ?? range.to, reason: rows[0].reason,
                samples: rows.map(\.id.description))
        }
    }

    func rate(_ range: HistoryRange, step: Int64) -> [RunRate] {
        let all = inside(range)
        return stride(
            from: range.from.milliseconds, to: range.to.milliseconds, by: Int(step)
        ).map { at in
            let part = all.filter { (at..<at + step).contains($0.finishedAt.milliseconds) }
            return RunRate(
                at: Timestamp(milliseconds: at), runs: part.count,
                failures: part.count { $0.isFailure })
        }
    }
}

/// Counts are equal, percentiles within 1 % (a millisecond is the unit).
func expectSame(
    _ found: [RunStats], _ wanted: [RunStats], sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(
        found.map { [$0.queue, $0.kind] } == wanted.map { [$0.queue, $0.kind] },
        sourceLocation: sourceLocation)
    guard found.count == wanted.count else { return }
    for (found, wanted) in zip(found, wanted) {
        #expect(found.runs == wanted.runs, sourceLocation: sourceLocation)
        #expect(found.failures == wanted.failures, sourceLocation: sourceLocation)
        #expect(found.verdicts == wanted.verdicts, sourceLocation: sourceLocation)
        for (found, wanted) in [(found.wait, wanted.wait), (found.run, wanted.run)] {
            #expect(found.count == wanted.count, sourceLocation: sourceLocation)
            #expect(found.max == wanted.max, sourceLocation: sourceLocation)
            #expect(
                abs(found.mean - wanted.mean) <= 1e-6 * max(1, wanted.mean),
                sourceLocation: sourceLocation)
            for (found, wanted) in [
                (found.p50, wanted.p50), (found.p95, wanted.p95), (found.p99, wanted.p99),
            ] {
                #expect(
                    abs(found - wanted) <= 0.01 * wanted, "\(found) for \(wanted)",
                    sourceLocation: sourceLocation)
            }
        }
    }
}
