// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A span of milliseconds, up to but not with its end, cut into parts that panes answer and parts
/// that rows must.
struct HistorySpan: Hashable {
    static let minute: Int64 = 60_000
    static let hour: Int64 = 3_600_000
    /// The last moment that is told from later ones: the year 2109.
    static let last: Int64 = 1 << 42 - 1

    var from: Int64
    var to: Int64

    init(_ from: Int64, _ to: Int64) {
        self.from = from
        self.to = to
    }

    init(_ range: HistoryRange) {
        from = min(Self.last, max(0, range.from.milliseconds))
        to = min(Self.last, max(0, range.to.milliseconds))
    }

    var isEmpty: Bool { from >= to }
    var length: Int64 { to - from }

    /// The whole units inside, and what is left before and behind them.
    func cut(by unit: Int64) -> (before: HistorySpan, inside: HistorySpan, behind: HistorySpan) {
        let first = (from + unit - 1) / unit * unit
        let end = to / unit * unit
        guard first < end else {
            return (self, HistorySpan(to, to), HistorySpan(to, to))
        }
        return (HistorySpan(from, first), HistorySpan(first, end), HistorySpan(end, to))
    }
}

extension RunRow {
    /// The key: the same row sent again has the same.
    struct Key: Hashable {
        var id: MessageID
        var generation: UInt8
        var run: UInt32
    }

    var key: Key { Key(id: id, generation: generation, run: run) }
}

enum HistoryBounds {
    static let rowsPerCall = 100_000
    static let rowsPerPage = 10_000
    static let groups = 10_000
    static let steps = 10_000
    static let pairsPerMinute = 1_000

    static func page(_ limit: Int) -> Int { min(max(1, limit), rowsPerPage) }
}
