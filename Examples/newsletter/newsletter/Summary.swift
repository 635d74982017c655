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
    /// The most repeats that the kill, and connections cut on purpose, explain.
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
    let seconds: Double
    let mailsPerSecond: Double
    /// What does not add up; empty when all does.
    var problems: [String] = []

    init(
        _ story: Story, jobs: Int, _ sums: SinkReport, before: QueueCounts, after: QueueCounts,
        refused: Int, held: Int?, time: Duration
    ) {
        issue = story.issue
        recipients = story.recipients
        self.jobs = jobs
        raw = sums.raw
        distinct = sums.distinct
        repeats = sums.repeats
        // One batch repeats at most what it sent since its checkpoint, one cut the mail it left in doubt.
        repeatsAllowed = story.every * (held ?? 0) + sums.cut
        self.refused = refused
        completed = after.completed - before.completed
        dead = after.dead - before.dead
        deadExpected = story.isPoisoned ? 1 : 0
        lostLeases = after.lost - before.lost
        retried = after.retried - before.retried
        heldByKilled = held
        seconds = ((time / .seconds(1)) * 10).rounded() / 10
        mailsPerSecond = (Double(raw) / max(0.001, time / .seconds(1))).rounded()
        check(story)
    }

    var isExact: Bool { problems.isEmpty }

    private mutating func check(_ story: Story) {
        func expect(_ isTrue: Bool, _ sentence: String) -> [String] { isTrue ? [] : [sentence] }
        problems +=
            expect(
                distinct + refused == recipients,
                "\(recipients) were to be mailed, \(distinct) were and \(refused) were refused")
            + expect(
                repeats <= repeatsAllowed,
                "\(repeats) repeats, but the kill explains \(repeatsAllowed)")
            + expect(raw == distinct + repeats, "\(raw) mails are not \(distinct) + \(repeats)")
            + expect(
                // The splitter is a job as well.
                completed == jobs + 1 - deadExpected,
                "\(completed) jobs completed, not \(jobs + 1 - deadExpected)")
            + expect(dead == deadExpected, "\(dead) dead letters, not \(deadExpected)")
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
            ("lost leases", "\(lostLeases)"),
            ("time", "\(seconds.formatted(.number.locale(.init(identifier: "en_US_POSIX")))) s"),
            ("rate", "\(Int(mailsPerSecond)) mails/s"),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0 + String(repeating: " ", count: width + 2 - $0.0.count) + $0.1 }
            .joined(separator: "\n")
    }
}
