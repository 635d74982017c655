// SPDX-License-Identifier: Apache-2.0

/// A store that can find what can't be in its books (I2, I9, I10), and mend it so that no message is lost.
public protocol Repairable: Sendable {
    /// Looks at up to `limit` messages; reads only, in bounded slices. What was found and confirmed is
    /// bounded, too: after many faults were mended, look again.
    ///
    /// Safe on a live queue: a suspicion that comes from several reads is confirmed in one atomic step
    /// before it is given back.
    func faults(in queue: QueueName, limit: Int) async throws(BrokerError) -> [Fault]

    /// Mends one fault, or says with `isDryRun` what that would do.
    ///
    /// - Atomic: one step of the store, which looks for the fault again first; where it is no longer
    ///   there, nothing changes and the answer is `gone`.
    /// - Repeated: the second time it is `gone`.
    /// - Crash halfway: the fault is there or it is not; nothing between.
    func repair(_ fault: Fault, isDryRun: Bool) async throws(BrokerError) -> RepairOutcome
}

/// Something in a store's books that can't be.
public struct Fault: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A message that stands in no list: no worker would ever find it.
        case recordWithoutIndex
        /// A place in a list without a message behind it.
        case indexWithoutRecord
        /// A message in two places, or in one that is not that of its record.
        case secondIndex
        /// A lease with a deadline that is none.
        case leaseWithoutDeadline
        /// A unique key whose owner is not live: it would refuse new messages for ever.
        case uniqueKeyWithoutOwner
        /// A live message that does not hold its unique key.
        case ownerWithoutUniqueKey
        /// Progress, attempts or a body of a message that has ended other than dead.
        case leftover
        /// A message that is to run and has no body.
        case bodyMissing
        case counter
        /// Leases that ran out and that nobody took back.
        case expiredLease
        /// More finished records than the queue may keep.
        case overBound
        case registry
    }

    public var kind: Kind
    public var queue: QueueName
    public var message: MessageID?
    /// Where exactly, in the store's own form; only good for its repair.
    public var place: String
    /// What was found, for people.
    public var sentence: String

    public init(
        _ kind: Kind, in queue: QueueName, message: MessageID? = nil, place: String = "",
        _ sentence: String
    ) {
        self.kind = kind
        self.queue = queue
        self.message = message
        self.place = place
        self.sentence = sentence
    }
}

/// What a repair did, or would do.
public enum RepairOutcome: Sendable, Hashable {
    /// What was done; with a dry run, what would be.
    case mended(String)
    /// The fault is not there any more.
    case gone
    /// It can't be mended without losing something; what to do instead.
    case refused(String)
}
