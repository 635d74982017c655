// SPDX-License-Identifier: Apache-2.0

/// The words as a pure value: what every broker must do, without a store, a clock or a lock.
///
/// `MemoryBroker` is a lock around one; the model tests let a ledger follow another broker, word for
/// word, and compare. All queues of a store are in one ledger, so that a forward is one step. Each
/// word takes the time; the ledger never asks for it.
package struct Ledger: Sendable {
    // Why: an array beside the names, so that a word works on its book in place.
    var books: [Book] = []
    var numbers: [QueueName: Int] = [:]
    /// Words so far; a violation names the step it was found at.
    package internal(set) var steps = 0

    package init() {}

    /// The number of a queue's book; a new one for a name not used before.
    mutating func open(_ queue: QueueName) -> Int {
        if let number = numbers[queue] { return number }
        numbers[queue] = books.count
        books.append(Book())
        return books.count - 1
    }

    /// Nothing that makes a queue dead weight for one call: promote, reclaim, prune (I10).
    static let upkeepLimit = 64
    /// Cancelled messages that one reserve drops out of the lines.
    static let ghostLimit = 1024
    /// A suspect that loses this many leases, the last one alone, is dead (I6).
    static let crashBudget = 3
    /// Runs kept in a message's own history.
    static let attemptsKept = 10
}
