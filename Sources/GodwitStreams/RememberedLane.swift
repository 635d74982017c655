// SPDX-License-Identifier: Apache-2.0
import DequeModule
package import Godwit

/// What a worker knows of a key between two holds: its window, decoded, and its state.
package struct RememberedLane<Point: Sendable, State: Sendable>: Sendable {
    var birth: UInt32
    var position: UInt64
    var points = PreviousPoints<Point>(points: [])
    /// What each point of the window takes in the store.
    var sizes = Deque<Int>()
    var windowBytes = 0
    var state: State
    var stateBytes: [UInt8] = []

    package init(birth: UInt32, position: UInt64, state: State) {
        self.birth = birth
        self.position = position
        self.state = state
    }

    /// What it takes here, about: what it takes in the store, and the room of the values and the
    /// collections around it.
    var bytes: Int { 256 + windowBytes + stateBytes.count + 64 * sizes.count }

    /// A point was handled: it enters the window, and what is older than `kept` leaves it.
    package mutating func enter(_ point: Point, size: Int, kept: Int) {
        points.points.append(point)
        sizes.append(size)
        windowBytes += size
        while sizes.count > kept {
            points.points.removeFirst()
            windowBytes -= sizes.removeFirst()
        }
    }
}

/// Keys that a worker remembers, bounded by the bytes that they take; the ones that were used longest
/// ago go first.
package struct LaneCache<Point: Sendable, State: Sendable>: Sendable {
    private struct Entry: Sendable {
        var lane: RememberedLane<Point, State>
        var use: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var order = Deque<(key: String, use: UInt64)>()
    private var uses: UInt64 = 0
    private(set) var bytes = 0
    let limit: Int

    package init(limit: Int) { self.limit = limit }

    package var count: Int { entries.count }

    /// Takes a key out if what is remembered is what the store holds.
    package mutating func take(_ lane: LeasedLane) -> RememberedLane<Point, State>? {
        guard let entry = entries.removeValue(forKey: lane.token.key) else { return nil }
        bytes -= entry.lane.bytes + lane.token.key.utf8.count
        guard entry.lane.birth == lane.birth, entry.lane.position == lane.position else {
            return nil
        }
        return entry.lane
    }

    package mutating func put(_ lane: RememberedLane<Point, State>, for key: String) {
        if let old = entries.removeValue(forKey: key) {
            bytes -= old.lane.bytes + key.utf8.count
        }
        uses += 1
        entries[key] = Entry(lane: lane, use: uses)
        order.append((key, uses))
        bytes += lane.bytes + key.utf8.count
        while bytes > limit, let oldest = order.popFirst() {
            guard let entry = entries[oldest.key], entry.use == oldest.use else { continue }
            entries[oldest.key] = nil
            bytes -= entry.lane.bytes + oldest.key.utf8.count
        }
        // What was taken and put again stands in line twice; the old places go from time to time.
        if order.count > 2 * entries.count + 1024 {
            order = Deque(order.filter { entries[$0.key]?.use == $0.use })
        }
    }
}
