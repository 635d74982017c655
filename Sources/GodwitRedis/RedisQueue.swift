// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// One queue as this process knows it: its keys, the kinds that stand in the store by our word, and
/// the single messages that gather while a call is under way.
final class RedisQueue: Sendable {
    /// A caller whose messages wait for the next flight, or are on it.
    struct Passenger: Sendable {
        var messages: [NewMessage]
        var arrived: UnsafeContinuation<Result<[EnqueueOutcome], BrokerError>, Never>
    }

    struct State {
        /// Kinds that are registered, by hash; good for one connection, since the next may lead to a
        /// server that has lost them.
        var kinds: [UInt32: String] = [:]
        var isRegistered = false
        var generation = -1
        /// All kinds of the queue as last read, for those who take any.
        var allKinds: [UInt32] = []
        var readKindsAt: ContinuousClock.Instant?
        var gathering: [Passenger] = []
        var isFlying = false
        /// Raised by each reserve: the kinds of one priority take turns.
        var turn = 0
    }

    let name: QueueName
    let keys: KeySpace
    let state = Mutex(State())

    init(_ name: QueueName, keys: KeySpace) {
        self.name = name
        self.keys = keys
    }

    /// Those of the kinds that are not registered by this process on this connection.
    ///
    /// - Throws: the name that has the kind's hash already.
    func unregistered(
        _ kinds: some Sequence<Kind>, generation: Int, asProducer: Bool
    ) throws(KindCollision) -> (isNew: Bool, kinds: [Kind]) {
        try state.withLock { state throws(KindCollision) in
            if state.generation != generation {
                state.generation = generation
                state.kinds = [:]
                state.isRegistered = false
                state.readKindsAt = nil
            }
            var missing: [Kind] = []
            var last: Kind?
            for kind in kinds {
                // Messages of one batch are mostly of one kind.
                if let last, last.hash == kind.hash, last.name == kind.name { continue }
                last = kind
                if let known = state.kinds[kind.hash] {
                    if known != kind.name { throw KindCollision(asked: kind.name, known: known) }
                } else if !missing.contains(kind) {
                    missing.append(kind)
                }
            }
            return (asProducer && !state.isRegistered, missing)
        }
    }

    /// These stand in the store.
    func add(_ kinds: [Kind]) {
        state.withLock { state in
            for kind in kinds { state.kinds[kind.hash] = kind.name }
            state.allKinds += kinds.map(\.hash).filter { !state.allKinds.contains($0) }
        }
    }

    /// The lists' kinds for a reserve, rotated by one from call to call.
    func rotated(_ kinds: [UInt32]) -> [UInt32] {
        if kinds.count < 2 { return kinds }
        let turn = state.withLock { state in
            state.turn &+= 1
            return state.turn
        }
        let first = Int(UInt(bitPattern: turn) % UInt(kinds.count))
        return Array(kinds[first...] + kinds[..<first])
    }
}

/// Two names with one CRC-32: lists are told apart by it, so a queue can hold only one of them.
struct KindCollision: Error {
    let asked: String
    let known: String
}
