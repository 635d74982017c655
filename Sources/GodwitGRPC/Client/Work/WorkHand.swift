// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitProtos

/// What a ``WorkStream`` has in hand, and what it has to say next.
///
/// Pure: it reads what the server said and makes the next message. What was said and not yet answered
/// when a stream breaks is said again in the next one: if it had happened, that answers `done`.
struct WorkHand: Sendable {
    /// The most messages in hand.
    private let capacity: Int
    private let lease: Duration

    /// Came and did not begin yet.
    private var buffer: [LeasedMessage] = []
    private var first = 0
    /// When the leases of those that wait or run end.
    private var leases: [LeaseToken: Timestamp] = [:]
    private(set) var running = 0
    private var outbox: [Settlement] = []
    private var unanswered: [Settlement] = []
    private var renewing: [LeaseToken?] = []
    /// To be said again at a moment.
    private var later: [(at: Timestamp, settlement: Settlement)] = []
    private var credits = 0
    private var renewsNow = false
    private var hasSaidStop = false
    private(set) var isStopping = false

    init(capacity: Int, lease: Duration) {
        self.capacity = capacity
        self.lease = lease
    }

    // MARK: handlers

    var waiting: Int { buffer.count - first }
    var unsaid: Int { outbox.count }

    mutating func begin() -> LeasedMessage? {
        guard first < buffer.count else { return nil }
        defer {
            first += 1
            if first == buffer.count {
                buffer.removeAll(keepingCapacity: true)
                first = 0
            }
        }
        running += 1
        return buffer[first]
    }

    mutating func finish(_ token: LeaseToken, _ verdict: Verdict) {
        running -= 1
        leases[token] = nil
        outbox.append(Settlement(token, verdict))
    }

    /// Takes no more, and gives back what did not begin.
    mutating func stop() {
        isStopping = true
        for message in buffer[first...] {
            leases[message.token] = nil
            outbox.append(Settlement(message.token, .release))
        }
        buffer = []
        first = 0
    }

    /// Everything that began has its answer, and nothing can be on its way any more.
    var isDone: Bool {
        isStopping && hasSaidStop && running == 0 && outbox.isEmpty && unanswered.isEmpty
            && renewing.isEmpty && later.isEmpty
    }

    /// What has no answer: for one who ends without.
    mutating func takeUnsettled() -> [Settlement] {
        defer {
            outbox = []
            unanswered = []
            later = []
        }
        return unanswered + outbox + later.map(\.settlement)
    }

    // MARK: to the server

    /// A new stream: it hears again what the old one did not answer.
    mutating func open(at now: Timestamp) {
        outbox = unanswered + outbox
        unanswered = []
        renewing = []
        hasSaidStop = false
        dropExpired(at: now)
        credits = max(0, capacity - waiting - running - outbox.count - later.count)
        renewsNow = !leases.isEmpty
    }

    /// What did not begin in time is somebody else's.
    private mutating func dropExpired(at now: Timestamp) {
        buffer = buffer[first...].filter { message in
            guard let end = leases[message.token], end <= now else { return true }
            leases[message.token] = nil
            return false
        }
        first = 0
    }

    mutating func renew() { renewsNow = !leases.isEmpty }

    /// When something has to be said again.
    var nextDue: Timestamp? { later.map(\.at).min() }

    /// What to say now; nil when there is nothing.
    mutating func next(at now: Timestamp) -> Godwit_V1_WorkRequest? {
        let due = later.filter { $0.at <= now }
        if !due.isEmpty {
            later.removeAll { $0.at <= now }
            // Why minus: their credits were given back when they were said first.
            credits -= due.count
            outbox += due.map(\.settlement)
        }
        var request = Godwit_V1_WorkRequest()
        var isNews = false
        if isStopping, !hasSaidStop {
            hasSaidStop = true
            request.stop = true
            // Why: its answer comes after all that the server had sent before it read this.
            request.renewals = [Data()]
            renewing.append(nil)
            isNews = true
        }
        if !outbox.isEmpty {
            let part = outbox.prefix(Self.most)
            request.settlements = part.map(\.wire)
            unanswered += part
            credits += part.count
            outbox.removeFirst(part.count)
            isNews = true
        }
        if renewsNow {
            renewsNow = false
            renewing += leases.keys.map { $0 }
            request.renewals += leases.keys.map(\.wire)
            isNews = true
        }
        if credits > 0, !isStopping {
            request.credits = UInt32(clamping: credits)
            credits = 0
            isNews = true
        }
        return isNews ? request : nil
    }

    /// The most settlements of one message.
    private static let most = 1000

    // MARK: from the server

    /// Takes what came; returns what the reader of a log should know.
    mutating func take(_ response: Godwit_V1_WorkResponse, at now: Timestamp) -> [String] {
        var notes: [String] = []
        let end =
            now
            + max(.zero, Timestamp(wire: response.deadlineMs) - Timestamp(wire: response.nowMs))
        for delivery in response.deliveries {
            guard let message = LeasedMessage(delivery) else { continue }
            if isStopping {
                outbox.append(Settlement(message.token, .release))
            } else {
                leases[message.token] = end
                buffer.append(message)
            }
        }
        let settled = min(response.settled.count, unanswered.count)
        for (settlement, outcome) in zip(unanswered, response.settled) {
            switch SettleOutcome(outcome) {
            case .done: break
            case .stale:
                notes.append("message \(settlement.token.id) was somebody else's by then")
            case .targetBusy: later.append((now + .seconds(1), settlement))
            case nil: later.append((now + .milliseconds(200), settlement))
            }
        }
        unanswered.removeFirst(settled)
        let renewed = min(response.renewed.count, renewing.count)
        for (token, outcome) in zip(renewing, response.renewed) {
            guard let token, leases[token] != nil else { continue }
            switch SettleOutcome(outcome) {
            case .done: leases[token] = now + lease
            case .stale: notes.append("the lease on message \(token.id) was lost while it ran")
            case .targetBusy, nil: break
            }
        }
        renewing.removeFirst(renewed)
        if response.hasFailure { notes.append("\(response.failure.brokerError)") }
        return notes
    }
}
