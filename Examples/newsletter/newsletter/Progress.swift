// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Mailing

/// How far the mailing is: one line on stderr, written over on a terminal, else for each tenth.
struct Progress {
    private let total: Int
    private let isTerminal = isatty(2) == 1
    private let start = ContinuousClock.now
    private var tenth = -1
    private var last = ContinuousClock.now

    init(total: Int) { self.total = total }

    mutating func show(_ sums: SinkReport, _ counts: QueueCounts) {
        let now = ContinuousClock.now
        let tenth = sums.distinct * 10 / max(1, total)
        guard isTerminal ? now - last > .milliseconds(100) : tenth != self.tenth else { return }
        self.tenth = tenth
        last = now
        let text =
            "\(sums.distinct)/\(total) mailed, \(sums.repeats) repeats, \(rate(sums))/s, "
            + "\(counts.leased) batches in hand, \(counts.ready) wait, \(counts.dead) dead"
        FileHandle.standardError.write(Data((isTerminal ? "\r\(text)\u{1B}[K" : "\(text)\n").utf8))
    }

    func end(_ sums: SinkReport) {
        if isTerminal { Post.say("") }
    }

    private func rate(_ sums: SinkReport) -> Int {
        Int(Double(sums.raw) / max(0.001, (ContinuousClock.now - start) / .seconds(1)))
    }
}
