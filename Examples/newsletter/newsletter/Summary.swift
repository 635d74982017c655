// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Mailing

/// The sums of a story, and whether they are what they must be.
struct Summary: Encodable, Sendable {
    let schema = 1
    let issue: String
    let recipients: Int
    let jobs: Int
    /// Mails that the sink took, and Message-IDs among them.
    let raw: Int
    let distinct: Int
    let repeats: Int
    /// The most repeats that lost leases, and connections cut on purpose, explain.
    let repeatsAllowed: Int
    /// Recipients that the sink will never take, from the report.
    let refused: Int
    let completed: Int
    let dead: Int
    let deadExpected: Int
    let lostLeases: Int
    let retried: Int
    /// Batches that the killed worker held; nil when nobody was killed.
    let heldByKilled: Int?
    /// Alerts that the receiver got, and those of them whose signature was right.
    let alerts: Int
    let alertsBelieved: Int
    /// The text of the first alert.
    let alert: String?
    /// What was advised while it ran.
    let advice: [String]
    /// What the deadline asks for; nil without a history.
    let plan: DeadlinePlan?
    let seconds: Double
    let mailsPerSecond: Double
    /// What does not add up; empty when all does.
    var problems: [String] = []

    init(
        _ story: Story, _ sums: SinkReport, before: QueueCounts, after: QueueCounts,
        refused: Int, held: Int?, time: Duration, alerts calls: [ReceivedCall], advice: [String],
        isWatched: Bool,
        plan: DeadlinePlan?
    ) {
        issue = story.split.issue
        recipients = story.split.recipients
        jobs = story.split.batches.count
        raw = sums.raw
        distinct = sums.distinct
        repeats = sums.repeats
        self.refused = refused
        completed = after.completed - before.completed
        dead = after.dead - before.dead
        deadExpected = story.split.added.isEmpty ? 0 : 1
        lostLeases = after.lost - before.lost
        // A lost lease repeats at most what its run sent since its checkpoint, a cut the mail in doubt.
        repeatsAllowed = story.every * lostLeases + sums.cut
        retried = after.retried - before.retried
        heldByKilled = held
        alerts = calls.count
        alertsBelieved = calls.count { $0.refusal == nil }
        alert = calls.first { $0.refusal == nil }.flatMap { Self.headline(of: $0.body) }
        self.advice = advice
        self.plan = plan
        seconds = ((time / .seconds(1)) * 10).rounded() / 10
        mailsPerSecond = (Double(raw) / max(0.001, time / .seconds(1))).rounded()
        check(story, isWatched: isWatched)
    }

    var isExact: Bool { problems.isEmpty }

    private mutating func check(_ story: Story, isWatched: Bool) {
        func expect(_ isTrue: Bool, _ sentence: String) -> [String] { isTrue ? [] : [sentence] }
        problems +=
            expect(
                distinct + refused == recipients,
                "\(recipients) were to be mailed, \(distinct) were and \(refused) were refused")
            + expect(
                repeats <= repeatsAllowed,
                "\(repeats) repeats, but \(lostLeases) lost lease(s) explain \(repeatsAllowed)")
            + expect(
                lostLeases >= heldByKilled ?? 0,
                "\(lostLeases) leases were lost, the killed worker held \(heldByKilled ?? 0)")
            + expect(raw == distinct + repeats, "\(raw) mails are not \(distinct) + \(repeats)")
            + expect(
                // The splitter is a job as well.
                completed == jobs + 1 - deadExpected,
                "\(completed) jobs completed, not \(jobs + 1 - deadExpected)")
            + expect(dead == deadExpected, "\(dead) dead letters, not \(deadExpected)")
            + expect(
                isWatched, "the alert, or the history, was not there within 30 seconds")
            + expect(
                alerts == alertsBelieved,
                "\(alerts - alertsBelieved) webhook call(s) had a wrong signature")
            + expect(
                !story.kills || heldByKilled != nil,
                "no worker was found with a batch in hand; send more, or say --no-kill")
    }

    /// Two columns for people.
    var text: String {
        let rows: [(String, String)] = [
            ("recipients", "\(recipients) in \(jobs) jobs"),
            ("distinct mails", "\(distinct)"),
            ("raw repeats", "\(repeats) of at most \(repeatsAllowed)"),
            ("refused", "\(refused)"),
            ("dead jobs", "\(dead)"),
            ("alerts", alert.map { "\(alertsBelieved): \($0)" } ?? "0"),
            ("lost leases", "\(lostLeases)"),
            ("time", "\(seconds.formatted(.number.locale(.init(identifier: "en_US_POSIX")))) s"),
            ("rate", "\(Int(mailsPerSecond)) mails/s"),
            ("advice", advice.isEmpty ? "none" : advice.joined(separator: " ")),
            ("the deadline needs", plan?.text ?? "unknown: no history"),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0 + String(repeating: " ", count: width + 2 - $0.0.count) + $0.1 }
            .joined(separator: "\n")
    }

    /// What an alert says in one line, from the JSON of a generic webhook.
    private static func headline(of body: [UInt8]) -> String? {
        struct Body: Decodable {
            let text: String?
        }
        let body = try? JSONDecoder().decode(Body.self, from: Data(body))
        let line = body?.text?.split(whereSeparator: \.isNewline).first.map(String.init)
        return line.map { String($0.prefix(160)).escapedForDisplay }
    }
}
