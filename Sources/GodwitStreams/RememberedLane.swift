// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Godwit

/// What a worker knows of a key between two holds: its window, decoded, and its state.
struct RememberedLane<Point: Sendable, State: Sendable>: Sendable {
    var birth: UInt32
    var position: UInt64
    var points = PreviousPoints<Point>(points: [])
    /// What each point of the window takes in the store.
    var sizes = Deque<Int>()
    var windowBytes = 0
    var state: State
    var stateBytes: [UInt8] = []

    var bytes: Int { windowBytes + stateBytes.count }

    /// A point was handled: it enters the window, and what is older than `kept` leaves it.
    mutating func enter(_ point: Point, size: Int, kept: Int) {
        points.points.append(point)
        sizes.append(size)
        windowBytes += size
        while sizes.count > kept {
            points.points.removeFirst()
            windowBytes -= sizes.removeFirst()
        }
    }
}

/// Keys that a worker remembers, bounded by the bytes that they take in the store; the ones that
/// were used longest ago go first.
struct LaneCache<Point: Sendable, State: Sendable>: Sendable {
    private struct Entry: Sendable {
        var lane: RememberedLane<Point, State>
        var use: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var order = Deque<(key: String, use: UInt64)>()
    private var uses: UInt64 = 0
    private(set) var bytes = 0
    let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { entries.count }

    /// Takes a key out if what is remembered is what the store holds.
    mutating func take(_ lane: LeasedLane) -> RememberedLane<Point, State>? {
        guard let entry = entries.removeValue(forKey: lane.token.key) else { return nil }
        bytes -= entry.lane.bytes
        guard entry.lane.birth == lane.birth, entry.lane.position == lane.position else {
            return nil
        }
        return entry.lane
    }

    mutating func put(_ lane: RememberedLane<Point, State>, for key: String) {
        if let old = entries.removeValue(forKey: key) { bytes -= old.lane.bytes }
        uses += 1
        entries[key] = Entry(lane: lane, use: uses)
        order.append((key, uses))
        bytes += lane.bytes
        while bytes > limit, let oldest = order.popFirst() {
            guard let entry = entries[oldest.key], entry.use == oldest.use else { continue }
            entries[oldest.key] = nil
            bytes -= entry.lane.bytes
        }
        // What was taken and put again stands in line twice; the old places go from time to time.
        if order.count > 2 * entries.count + 1024 {
            order = Deque(order.filter { entries[$0.key]?.use == $0.use })
        }
    }
}
