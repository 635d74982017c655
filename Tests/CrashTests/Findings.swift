// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Godwit

/// What the store and the journal say together when all is over.
struct Findings {
    /// Accepted, and neither run to its end nor dead for its reason (I1).
    var lost: [String] = []
    /// Runs that begin without a recorded cause (I5).
    var unexplained: [String] = []
    /// Settles that the store took from a run whose lease was somebody else's by then (I3).
    var staleAccepted: [String] = []
    /// Attempts, counters and endings that are not what they must be (I1, I6).
    var miscounted: [String] = []
    var crashLoops: [String] = []
    /// Starts beyond a message's first, each with a cause.
    var explained = 0
    var lostLeases = 0
    /// Lost by processes that were neither killed nor paused: a slow machine.
    var unprovoked = 0
    var counts = QueueCounts()
    var complaints: [String] = []

    init(_ chaos: Chaos) async throws {
        let broker = chaos.queue.broker
        counts = try await broker.inspector.counts(of: chaos.queue.name)
        complaints = try await broker.inspector.check(chaos.queue.name, limit: 1_000_000)
        let facts = chaos.journal.read { $0.runs }
        var records: [MessageID: MessageRecord] = [:]
        for state in [MessageState.completed, .dead] {
            var cursor: PageCursor?
            repeat {
                let page = try await broker.inspector.messages(
                    state, in: chaos.queue.name, after: cursor, limit: 1000)
                for record in page.messages { records[record.id] = record }
                cursor = page.next
            } while cursor != nil
        }
        let runs = Dictionary(grouping: facts.keys, by: \.id)
        for (id, expected) in chaos.load.accepted {
            let counts = (runs[id] ?? []).map(\.count).sorted()
            let history = counts.compactMap { count in
                facts[Run(id: id, count: count)].map { (count: count, fact: $0) }
            }
            look(at: id, expected, records[id], history)
            explain(id, records[id], history, disturbed: chaos.killed.union(chaos.everPaused))
        }
        for id in runs.keys where chaos.load.accepted[id] == nil {
            unexplained.append("\(id) was run and never enqueued")
        }
        account(records.values, accepted: chaos.load.accepted.count)
    }

    private typealias History = [(count: Int, fact: Journal.Fact)]

    /// Where one message ended, and whether it was worked before it did.
    private mutating func look(
        at id: MessageID, _ expected: LoadBook.Expectation, _ record: MessageRecord?,
        _ history: History
    ) {
        guard let record else {
            lost.append("\(id) is nowhere")
            return
        }
        let last = history.last { $0.count == record.count }?.fact
        let attempts = Int(record.entry.attempt)
        if record.state == .completed {
            if last?.ending != .done {
                lost.append("\(id) is completed, but its run \(record.count) never ended well")
            }
            if expected.isDead || attempts != expected.attempts {
                miscounted.append("\(id) is completed with \(attempts) attempts: \(expected)")
            }
        } else if record.reason == "crash-loop" {
            crashLoops.append("\(id) after \(record.entry.lost) lost leases")
        } else if !expected.isDead || attempts != expected.attempts
            || record.reason?.contains("mishap") != true
        {
            lost.append(
                "\(id) is dead: '\(record.reason ?? "")', \(attempts) attempts, \(expected)")
        }
    }

    /// Every run after the first has one cause, and no settle was taken that contradicts it.
    private mutating func explain(
        _ id: MessageID, _ record: MessageRecord?, _ history: History, disturbed: Set<Int>
    ) {
        for (place, (count, fact)) in history.enumerated() {
            if fact.starts > 1 {
                unexplained.append("run \(count) of \(id) began \(fact.starts) times")
            }
            if fact.starts > 0, history[..<place].contains(where: { $0.fact.starts > 0 }) {
                explained += 1
            }
            let taken = fact.taken
            if taken.count > 1 { staleAccepted.append("run \(count) of \(id) ended as \(taken)") }
            guard place + 1 < history.count else {
                if let record, !taken.isEmpty, record.count != count {
                    staleAccepted.append(
                        "run \(count) of \(id) ended as \(taken), its last is \(record.count)")
                }
                continue
            }
            let (next, nextFact) = history[place + 1]
            guard let attempt = fact.attempt, let lost = fact.lost,
                let nextAttempt = nextFact.attempt, let nextLost = nextFact.lost
            else {
                unexplained.append("runs \(count) and \(next) of \(id): no reserve was reported")
                continue
            }
            let (retries, losses) = (nextAttempt - attempt, nextLost - lost)
            let released = taken.contains(.release) ? 1 : 0
            // Runs between the two that nobody heard of: their process died with its reserve.
            if retries < 0 || losses < 0 || retries + losses + released != next - count {
                unexplained.append(
                    """
                    run \(next) of \(id) after \(count): attempts \(attempt) → \(nextAttempt), \
                    lost \(lost) → \(nextLost)
                    """)
            }
            if taken.contains(.retry) ? retries == 0 : !taken.isEmpty && released == 0 {
                staleAccepted.append(
                    "run \(count) of \(id) ended as \(taken), and run \(next) followed")
            }
            if retries > 0, fact.ending != .failed, next == count + 1 {
                unexplained.append("run \(count) of \(id) was retried without a failure")
            }
            if losses > 0, next == count + 1, !disturbed.contains(fact.process) { unprovoked += 1 }
        }
    }

    /// The store's counters against its records.
    private mutating func account(_ records: some Collection<MessageRecord>, accepted: Int) {
        let dead = records.filter { $0.state == .dead }
        lostLeases = records.reduce(0) { $0 + Int($1.entry.lost) }
        let attempts = records.reduce(0) { $0 + Int($1.entry.attempt) }
        let sums = [
            ("enqueued", counts.enqueued, accepted),
            ("completed", counts.completed, records.count - dead.count),
            ("dead", counts.dead, dead.count), ("rejected", counts.rejected, dead.count),
            ("retried", counts.retried, attempts - dead.count + crashLoops.count),
            ("lost", counts.lost, lostLeases), ("released", counts.released, 0),
            ("left", counts.ready + counts.scheduled + counts.leased, 0),
        ]
        for (name, counted, found) in sums where counted != found {
            miscounted.append("\(name): the counter says \(counted), the records \(found)")
        }
    }
}
