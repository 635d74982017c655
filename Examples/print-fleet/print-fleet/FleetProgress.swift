// SPDX-License-Identifier: Apache-2.0
import Foundation
import PrintFleet
import Synchronization

/// Counts what goes through, and says so on stderr: one line that is written over on a terminal, a
/// line every ten seconds otherwise.
final class FleetProgress: Sendable {
    struct Counts: Sendable {
        var accepted = 0
        var appended = 0
        var handled = 0
        var duplicates = 0
        var late = 0
        var ahead = 0
        var events = 0
        var alerts = 0
        var rejected: [String: Int] = [:]
        var rejectedLines = 0
        var hasEnded = false
        var shownAt: ContinuousClock.Instant?
    }

    /// Rejected lines that are named on stderr where no file takes them.
    private static let named = 10

    private let state = Mutex(Counts())
    private let began = ContinuousClock.now
    private let isTerminal = isatty(2) == 1

    var counts: Counts { state.withLock { $0 } }

    /// Nobody handles any more in this process, for whatever reason.
    func workerEnded() { state.withLock { $0.hasEnded = true } }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func accepted() { state.withLock { $0.accepted += 1 } }

    /// Counts a line; true for the first few, which are worth a word of their own.
    func rejected(_ code: String) -> Bool {
        state.withLock { state in
            state.rejected[code, default: 0] += 1
            state.rejectedLines += 1
            return state.rejectedLines <= Self.named
        }
    }

    func appended(_ count: Int) {
        state.withLock { $0.appended += count }
        show()
    }

    func handled(_ findings: Findings) {
        state.withLock { state in
            state.handled += 1
            switch findings.arrival {
            case .duplicate: state.duplicates += 1
            case .late, .tooLate: state.late += 1
            case .ahead: state.ahead += 1
            case .fresh: break
            }
            state.events += findings.events.count
            state.alerts += findings.alerts.count
        }
    }

    private func show() {
        let text = state.withLock { state -> String? in
            let now = ContinuousClock.now
            let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
            guard state.shownAt.map({ now - $0 >= pause }) ?? isTerminal else {
                if state.shownAt == nil { state.shownAt = now }
                return nil
            }
            state.shownAt = now
            return "\(state.appended) readings taken, \(state.handled) handled here, "
                + "\(state.alerts) alerts, \(state.rejectedLines) lines rejected"
        }
        guard let text else { return }
        say(isTerminal ? "\r\(text)\u{1B}[K" : text + "\n")
    }

    /// The end of it all, for people.
    func summary(keepsRejects: Bool) -> String {
        let counts = counts
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        var lines = [
            "\(counts.appended) readings taken, \(counts.handled) handled here in "
                + "\(Int(seconds.rounded(.up))) s "
                + "(\(Int(Double(max(counts.appended, counts.handled)) / max(0.001, seconds)))/s)",
            "\(counts.duplicates) duplicates, \(counts.late) late, \(counts.ahead) too far ahead; "
                + "\(counts.events) events, \(counts.alerts) alerts",
        ]
        let rejected = counts.rejected.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !rejected.isEmpty {
            lines.append(
                "\(counts.rejectedLines) lines rejected: "
                    + rejected.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
                    + (keepsRejects ? "" : "; --rejects FILE keeps them"))
        }
        return lines.joined(separator: "\n")
    }

    func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    /// A line of its own, beside the one that is written over.
    func warn(_ text: String) { say((isTerminal ? "\r\u{1B}[K" : "") + "print-fleet: \(text)\n") }

    func finish(keepsRejects: Bool) {
        say((isTerminal ? "\r\u{1B}[K" : "") + summary(keepsRejects: keepsRejects) + "\n")
    }
}
