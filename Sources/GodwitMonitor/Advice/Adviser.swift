// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Says what would help a queue: a pure function of two panes, how the queue stands, and its targets.
///
/// What comes from rates is said only where both panes agree and the hour holds 100 runs; what the store
/// shows by itself (paused, no worker, limit) is said at once. Otherwise it is silent: a wrong
/// "add workers" costs money and hides the cause, so everything else that could explain a wait is asked first.
public struct Adviser: Sendable {
    /// How much of its time a slot may be used so that waits stay short: the rest takes the bursts.
    static let utilisation = 0.7
    /// Slots that are used as much are full.
    static let full = 0.8
    static let fewestRuns = 100
    static let storm = 0.2
    static let releaseShare = 0.1
    /// How long a kind may be without a worker, as in a deploy, in seconds.
    static let patience = 30.0

    let now: QueueNow
    let targets: QueueTargets
    /// Nil without a history.
    let history: QueuePanes?
    /// Nil also where too few runs are in it to say anything.
    let panes: QueuePanes?

    public init(_ panes: QueuePanes?, _ now: QueueNow, _ targets: QueueTargets = QueueTargets()) {
        self.now = now
        self.targets = targets
        history = panes
        self.panes = panes.flatMap { $0.long.runs >= Self.fewestRuns ? $0 : nil }
    }

    /// The loudest first.
    public func advice() -> [Advice] {
        var all = waiting()
        all += backlog() + deadline() + longRuns()
        all += failures() + releases() + losses() + clock() + unknownRates()
        return all.enumerated()
            .sorted { ($1.element.grade, $0.offset) < ($0.element.grade, $1.offset) }
            .map(\.element)
    }

    func say(
        _ kind: Advice.Kind, _ grade: Advice.Grade, _ sentence: String, next: String,
        slots: Int? = nil
    ) -> Advice {
        Advice(
            kind, grade, queue: now.queue, sentence.escapedForDisplay,
            next: next.escapedForDisplay, slots: slots)
    }

    // MARK: The rest of the table

    private func clock() -> [Advice] {
        guard now.clockSteps > 0 else { return [] }
        return [
            say(
                .clockStep, .warning,
                "The store's clock was set back \(Plain.count(now.clockSteps, "time")) within the "
                    + "hour: waits, leases and delays of that time are off. Let its machines "
                    + "follow one time server, slewing rather than stepping.",
                next: "godwit doctor")
        ]
    }

    private func unknownRates() -> [Advice] {
        guard history == nil else { return [] }
        var sentence =
            "Rates are unknown: no history runs, so nothing is said about waits, errors or how many "
            + "workers are needed. Run with a history."
        if let oldest = now.oldestReady, oldest > targets.wait, now.slots > 0, now.idleSlots == 0 {
            sentence +=
                " All \(Plain.count(now.slots, "slot")) are busy and the oldest message has waited "
                + "\(Plain.time(oldest))."
        }
        return [say(.ratesUnknown, .note, sentence, next: "godwit doctor --history PATH")]
    }
}
