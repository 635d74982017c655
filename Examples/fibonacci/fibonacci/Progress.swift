// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

/// How far the run is: one line on stderr, written over on a terminal, else one for each tenth.
struct Progress {
    private let total: Int
    private let isTerminal = isatty(2) == 1
    private var tenth = -1
    private var last = ContinuousClock.now
    private var isOpen = false

    init(total: Int) { self.total = total }

    mutating func show(_ done: Int, _ counts: QueueCounts) {
        let now = ContinuousClock.now
        let tenth = done * 10 / max(1, total)
        guard isTerminal ? now - last > .milliseconds(100) : tenth != self.tenth else { return }
        self.tenth = tenth
        last = now
        let text =
            "\(done)/\(total) done, \(counts.leased) being computed, \(counts.ready) wait, "
            + "\(counts.scheduled) to be tried again"
        House.say(isTerminal ? "\r\(text)\u{1B}[K" : text, newline: !isTerminal)
        isOpen = isTerminal
    }

    /// Ends the line, for what is said between.
    mutating func interrupt() {
        if isOpen { House.say("") }
        isOpen = false
    }
}
