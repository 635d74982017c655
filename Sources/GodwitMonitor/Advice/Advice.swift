// SPDX-License-Identifier: Apache-2.0

/// One thing that would help a queue, said to the one who runs it.
public struct Advice: Sendable, Hashable, Codable {
    /// What the advice is about; the raw value goes into JSON, labels and tests.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// All slots are busy, the wait is over its target, and more comes than the slots can do.
        case addWorkers
        /// Messages wait because an operator paused the queue.
        case paused
        /// Messages wait because as many are leased as the queue's limit allows.
        case leaseLimit
        /// Messages wait and no worker takes any of them.
        case noWorker
        /// Workers live, but none of them knows a kind that is ready.
        case unknownKind
        /// Workers that know what is ready sit idle while it waits.
        case lostWakeUp
        case longRuns
        case errors
        case retryStorm
        case releases
        case lostLeases
        /// Messages that took two workers or more with them.
        case suspects
        case backlog
        /// What is ready will not be done by the time the operator has set.
        case deadline
        case clockStep
        /// No history tells how much comes and goes.
        case ratesUnknown
    }

    public enum Grade: String, Sendable, Hashable, Codable, Comparable {
        case note, warning, loud

        private var rank: Int { self == .note ? 0 : self == .warning ? 1 : 2 }
        public static func < (left: Grade, right: Grade) -> Bool { left.rank < right.rank }
    }

    public var kind: Kind
    public var grade: Grade
    public var queue: String
    /// With numbers, for people; holds no control characters.
    public var sentence: String
    /// The command that shows more or mends it.
    public var next: String
    /// How many slots the queue should have in all, where the advice is about that.
    public var slots: Int?

    public init(
        _ kind: Kind, _ grade: Grade, queue: String, _ sentence: String, next: String,
        slots: Int? = nil
    ) {
        self.kind = kind
        self.grade = grade
        self.queue = queue
        self.sentence = sentence
        self.next = next
        self.slots = slots
    }
}
