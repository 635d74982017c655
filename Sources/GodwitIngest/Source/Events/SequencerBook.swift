// SPDX-License-Identifier: Apache-2.0

/// The latest event of each key that was handed on, so that an older one that comes after it is known
/// as stale. Forgets the key that was noted longest ago when it is full: what a forgotten stale event
/// costs is one look at the store.
package struct SequencerBook: Sendable {
    private struct Place: Hashable {
        var bucket: String?
        var key: String
    }

    private struct Noted {
        var sequencer: Sequencer
        var turn: UInt64
    }

    private let limit: Int
    private var latest: [Place: Noted] = [:]
    /// Keys in the order they were noted; an entry whose turn is not the key's is an old one.
    private var order: [(turn: UInt64, place: Place)] = []
    private var turn: UInt64 = 0

    package init(limit: Int = 10_000) { self.limit = max(1, limit) }

    /// Something later was handed on for this key. The same again is a repetition, not stale.
    package func isStale(_ event: ObjectEvent) -> Bool {
        guard let sequencer = event.sequencer else { return false }
        guard let noted = latest[Place(bucket: event.bucket, key: event.key)] else { return false }
        return sequencer < noted.sequencer
    }

    /// Notes what was handed on; call it after, not before, or a failed one would be stale itself.
    package mutating func note(_ event: ObjectEvent) {
        guard let sequencer = event.sequencer, !isStale(event) else { return }
        let place = Place(bucket: event.bucket, key: event.key)
        turn += 1
        latest[place] = Noted(sequencer: sequencer, turn: turn)
        order.append((turn, place))
        guard latest.count > limit || order.count > 2 * limit else { return }
        order.removeAll { latest[$0.place]?.turn != $0.turn }
        // Why a quarter at once: one by one, each note would move the whole list.
        let tooMany = latest.count > limit ? max(1, limit / 4) : 0
        for (_, place) in order.prefix(tooMany) { latest[place] = nil }
        order.removeFirst(min(tooMany, order.count))
    }
}
