// SPDX-License-Identifier: Apache-2.0
import Godwit

/// How far the dead letters of one queue have been looked at, and how many came when. Kept as a note.
struct AlertEyes: Sendable, Hashable, Codable {
    /// Pages before it are done with.
    var cursor: String?
    /// Marks of the letters behind the cursor that were seen, so that a page can be read again.
    var seen: [UInt64] = []
    /// Dead letters by rule and slot of ten seconds: for the rates.
    var deaths: [String: [Int64: Int]] = [:]

    static let slot: Int64 = 10_000
    /// The most marks behind the cursor before it moves on, a page more for the last one; 9 bytes each
    /// in the note.
    static let mostSeen = 2000
    static let page = 1000
    /// The most pages of one look at one queue.
    static let pages = 25

    /// The dead letters since the last look, oldest first, and whether that is all: they are bounded, and
    /// what is left comes in the next look.
    ///
    /// Letters of the last two seconds are looked at but not passed: another one may still come in
    /// before them, because stores order letters of one millisecond by their ids.
    mutating func newDead(
        in queue: QueueName, by inspector: any Inspector, since: Timestamp, now: Timestamp
    ) async throws(BrokerError) -> (letters: [MessageRecord], isAll: Bool) {
        var known = Set(seen)
        var found: [MessageRecord] = []
        var here = cursor
        // The marks of the pages between the cursor and here.
        var walked: Set<UInt64> = []
        // Why no others: what was not met again is gone, redriven, cancelled or pruned; and a look that
        // ends early comes further than the one before it, because the cursor is at most three pages
        // behind its end.
        defer { seen = walked.sorted() }
        for _ in 0..<Self.pages {
            let page = try await inspector.messages(
                .dead, in: queue, after: here.map { PageCursor($0) }, limit: Self.page)
            for record in page.messages {
                let mark = Self.mark(of: record)
                walked.insert(mark)
                guard known.insert(mark).inserted else { continue }
                if let at = record.finishedAt, at < since { continue }
                found.append(record)
            }
            guard let next = page.next, let last = page.messages.last else { return (found, true) }
            here = next.text
            let isOld = (last.finishedAt ?? now) < now - .seconds(2)
            if isOld || walked.count > Self.mostSeen {
                cursor = here
                walked = []
            }
        }
        return (found, false)
    }

    /// The same letter after a redrive is another one.
    private static func mark(of record: MessageRecord) -> UInt64 {
        record.id.low
            ^ UInt64(bitPattern: record.finishedAt?.milliseconds ?? 0) &* 0x9E37_79B9_7F4A_7C15
    }

    /// Counts letters of one rule by when they died.
    mutating func add(_ count: Int, of rule: String, at moment: Timestamp) {
        deaths[rule, default: [:]][moment.milliseconds / Self.slot, default: 0] += count
    }

    /// How many died within the window; forgets what is older than an hour.
    mutating func rate(of rule: String, window: Duration, at now: Timestamp) -> Int {
        guard var slots = deaths[rule] else { return 0 }
        let current = now.milliseconds / Self.slot
        slots = slots.filter { $0.key > current - 360 && $0.key <= current + 360 }
        deaths[rule] = slots.isEmpty ? nil : slots
        let first = current - window.milliseconds / Self.slot
        return slots.reduce(0) { $0 + ($1.key > first ? $1.value : 0) }
    }

    /// Takes away what belongs to rules that are gone.
    mutating func keep(only rules: [AlertRule]) {
        let names = Set(rules.map(\.name))
        deaths = deaths.filter { names.contains($0.key) }
    }
}

extension Timestamp {
    static func - (left: Timestamp, right: Duration) -> Timestamp { left + (.zero - right) }
}
