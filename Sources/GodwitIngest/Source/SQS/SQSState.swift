// SPDX-License-Identifier: Apache-2.0
package import AWSClient
package import Godwit

/// What a run over SQS holds: a value that decides how many to ask for, what to extend and until when,
/// and what is lost.
///
/// A receipt is ours from the moment it came, in the buffer as in a handler's hands, until it is
/// settled, lost, or 12 h old: SQS extends no further than that.
package struct SQSState: Sendable {
    package enum Phase: Sendable {
        case working
        /// Nothing new is taken; what is handled goes on.
        case stopping
        /// What is still handled was told to end.
        case graceOver
    }

    package enum Stage: Sendable {
        case buffered
        case handled
        case settling
        /// A visibility of its own is on its way to SQS; an extension would undo it.
        case hiding
    }

    package struct Held: Sendable {
        package let number: UInt64
        package let message: SQSMessage
        package let receivedAt: Timestamp
        /// Until then nobody else gets it, as far as we know.
        package var visibleAt: Timestamp
        package var stage = Stage.buffered
    }

    package struct Extension: Sendable, Hashable {
        package var number: UInt64
        package var receipt: String
        package var visibility: Duration
    }

    package let concurrency: Int
    package let prefetch: Int
    package let visibility: Duration
    package let horizon: Duration
    /// Deletes that wait do not slow the next polls down before there are so many.
    private static let mostSettling = 1000

    package private(set) var held: [UInt64: Held] = [:]
    package private(set) var phase = Phase.working
    private var buffer: [UInt64] = []
    private var asked = 0
    private var polls = 0
    package private(set) var handled = 0
    private var lastNumber: UInt64 = 0

    package init(concurrency: Int, prefetch: Int, visibility: Duration, horizon: Duration) {
        self.concurrency = max(1, concurrency)
        self.prefetch = max(0, prefetch)
        self.visibility = visibility
        self.horizon = horizon
    }

    /// Nothing is polled for, buffered or handled, and nothing will be.
    package var isDrained: Bool {
        phase != .working && polls == 0 && handled == 0 && buffer.isEmpty
    }

    private var settling: Int { held.count - buffer.count - handled }

    // MARK: Receive

    /// How many to ask for; nil while there is no room for any.
    package mutating func nextPoll(atMost limit: Int = SQSClient.batch) -> Int? {
        guard phase == .working, settling < Self.mostSettling else { return nil }
        let room = concurrency + prefetch - buffer.count - handled - asked
        guard room > 0 else { return nil }
        let count = min(limit, room)
        asked += count
        polls += 1
        return count
    }

    /// Takes in what a poll brought; after a stop, returns the receipts to give back instead.
    package mutating func received(
        _ messages: [SQSMessage], asked count: Int, at now: Timestamp
    ) -> [String] {
        asked -= count
        polls -= 1
        if phase != .working { return messages.map(\.receiptHandle) }
        for message in messages {
            lastNumber += 1
            held[lastNumber] = Held(
                number: lastNumber, message: message, receivedAt: now, visibleAt: now + visibility)
            buffer.append(lastNumber)
        }
        return []
    }

    // MARK: Handle

    /// The next message for a handler; one whose time ran out in the buffer is somebody else's by now.
    package mutating func take(at now: Timestamp) -> Held? {
        guard phase == .working else { return nil }
        while !buffer.isEmpty {
            let number = buffer.removeFirst()
            guard var next = held[number] else { continue }
            guard now < next.visibleAt else {
                held[number] = nil
                continue
            }
            next.stage = .handled
            held[number] = next
            handled += 1
            return next
        }
        return nil
    }

    /// A handler has returned. False when its receipt was lost meanwhile: what it says counts no more.
    package mutating func finished(_ number: UInt64) -> Bool {
        handled -= 1
        guard held[number] != nil else { return false }
        held[number]?.stage = .settling
        return true
    }

    /// Called before a message is put off: from here on nothing extends it.
    package mutating func hides(_ number: UInt64) { held[number]?.stage = .hiding }

    /// Settled, or given up.
    package mutating func forget(_ numbers: some Sequence<UInt64>) {
        for number in numbers { held[number] = nil }
    }

    package func isOurs(_ number: UInt64, at now: Timestamp) -> Bool {
        held[number].map { now < $0.visibleAt } ?? false
    }

    // MARK: Hold

    /// Everything that is held, with how long to hide it from now: never past the horizon.
    package func toExtend(at now: Timestamp) -> [Extension] {
        held.values.sorted { $0.number < $1.number }.compactMap { held in
            let end = held.receivedAt + horizon
            guard held.stage != .hiding, now < held.visibleAt, held.visibleAt < end else {
                return nil
            }
            return Extension(
                number: held.number, receipt: held.message.receiptHandle,
                visibility: min(visibility, end - now))
        }
    }

    /// SQS hides it until `visibility` after the call was sent.
    package mutating func extended(_ extensions: [Extension], sentAt: Timestamp) {
        for done in extensions {
            guard let visibleAt = held[done.number]?.visibleAt else { continue }
            held[done.number]?.visibleAt = max(visibleAt, sentAt + done.visibility)
        }
    }

    /// Forgets what is ours no more: these, and what nobody could extend in time. Returns the numbers
    /// whose handlers must be told.
    package mutating func lose(_ numbers: Set<UInt64>, at now: Timestamp) -> (
        ids: [String], told: [UInt64]
    ) {
        var ids: [String] = []
        var told: [UInt64] = []
        for (number, one) in held where numbers.contains(number) || now >= one.visibleAt {
            held[number] = nil
            // Why: its work is done, and the delete that comes too late has a warning of its own.
            if one.stage == .settling || one.stage == .hiding { continue }
            ids.append(one.message.id)
            if one.stage == .handled { told.append(number) }
        }
        buffer.removeAll { held[$0] == nil }
        return (ids, told)
    }

    /// When the first of what is held stops being ours unless it is extended.
    package var nextLoss: Timestamp? { held.values.lazy.map(\.visibleAt).min() }

    // MARK: Stop

    /// Takes nothing new; returns the receipts of what nobody has begun, to be given back.
    package mutating func stop() -> [String] {
        guard phase == .working else { return [] }
        phase = .stopping
        let receipts = buffer.compactMap { held[$0]?.message.receiptHandle }
        forget(buffer)
        buffer = []
        return receipts
    }

    /// Returns the numbers whose handlers must be told to end, and the receipts to give back.
    package mutating func endGrace() -> (told: [UInt64], receipts: [String]) {
        guard phase == .stopping else { return ([], []) }
        phase = .graceOver
        let left = held.values.filter { $0.stage == .handled }.sorted { $0.number < $1.number }
        forget(left.map(\.number))
        return (left.map(\.number), left.map(\.message.receiptHandle))
    }
}
