// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How far it is: a bar on a terminal, a plain line for each tenth otherwise.
struct Progress {
    private let total: Int
    private let isTerminal = isatty(1) == 1
    private var shown = -1
    private var last = ContinuousClock.now

    init(total: Int) { self.total = total }

    mutating func show(_ counts: QueueCounts) {
        let ended = counts.completed + counts.dead
        let tenth = ended * 10 / max(1, total)
        let now = ContinuousClock.now
        guard
            isTerminal ? now - last > .milliseconds(50) : tenth != shown || now - last > .seconds(1)
        else { return }
        shown = tenth
        last = now
        let text = "\(ended)/\(total) done, \(counts.leased) leased, \(counts.lost) lost leases"
        guard isTerminal else {
            print(text)
            fflush(nil)
            return
        }
        let width = 40
        let full = ended * width / max(1, total)
        print(
            "\r[" + String(repeating: "█", count: full)
                + String(repeating: "·", count: width - full) + "] \(text)\u{1B}[K",
            terminator: "")
        fflush(nil)
    }

    func end() {
        if isTerminal { print("") }
    }
}
