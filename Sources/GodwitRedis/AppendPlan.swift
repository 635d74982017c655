// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Which points go to the store in which call: by key, in their order, within the bounds of a call.
struct AppendPlan {
    /// A key by its bytes: to the store, texts that only look alike are two keys.
    private struct Name: Hashable {
        let text: String

        static func == (left: Name, right: Name) -> Bool {
            left.text.utf8.elementsEqual(right.text.utf8)
        }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    struct Lane {
        var key: String
        /// Places among the points of the append.
        var members: [Int] = []
        var rises = true
        var peak: UInt64 = 0
    }

    struct Call {
        var lanes: [Lane] = []
        var count = 0
        var bytes = 0

        /// Places in the order in which the call holds the points.
        var members: [Int] { lanes.flatMap(\.members) }
    }

    /// What Lua can hand to one command is bounded.
    private static let mostPoints = 1024

    let points: [NewPoint]
    private(set) var calls: [Call] = []

    init(_ points: [NewPoint]) {
        self.points = points
        var places: [Name: Int] = [:]
        for (index, point) in points.enumerated() {
            let size = point.size + 16
            let name = Name(text: point.key)
            var place = places[name]
            let isFull =
                calls.last.map { call in
                    call.count >= Self.mostPoints || call.bytes + size > StreamPlan.bytes
                        || (place == nil && call.lanes.count >= StreamLimits.lanes)
                } ?? true
            if isFull {
                calls.append(Call())
                places = [:]
                place = nil
            }
            let last = calls.count - 1
            let lane = place ?? calls[last].lanes.count
            if place == nil {
                places[name] = lane
                calls[last].lanes.append(Lane(key: point.key))
                calls[last].bytes += point.key.utf8.count + 32
            }
            calls[last].add(index, point.id, to: lane, after: points)
            calls[last].bytes += size
        }
    }
}

extension AppendPlan.Call {
    fileprivate mutating func add(
        _ index: Int, _ id: PointID, to lane: Int, after points: [NewPoint]
    ) {
        if let before = lanes[lane].members.last, points[before].id >= id {
            lanes[lane].rises = false
        }
        lanes[lane].members.append(index)
        lanes[lane].peak = max(lanes[lane].peak, id.rawValue >> 16)
        count += 1
    }
}

/// The bounds of one call of a stream's word, beside ``StreamLimits``.
enum StreamPlan {
    static let bytes = 256 << 10
}

extension RedisBroker {
    /// One call of STREAM_APPEND.
    func command(
        _ call: AppendPlan.Call, of points: [NewPoint], _ options: AppendOptions,
        to stream: RedisQueue
    ) -> RedisCommand {
        var command = self.call(
            scripts.streamAppend, in: stream, capacity: call.bytes + 16 * call.count)
        command.append(options.maxPending)
        command.append((options.acceptsLate ? 1 : 0) + (options.isRedrive ? 2 : 0))
        for lane in call.lanes {
            command.append(lane.key)
            command.append(count: 9) { buffer in
                buffer[0] = UInt8(truncatingIfNeeded: lane.members.count >> 8)
                buffer[1] = UInt8(truncatingIfNeeded: lane.members.count)
                buffer[2] = lane.rises ? 1 : 0
                for index in 0..<6 {
                    buffer[3 + index] = UInt8(
                        truncatingIfNeeded: lane.peak >> UInt64(40 - 8 * index))
                }
            }
            for member in lane.members {
                let point = points[member]
                command.append(count: point.size) { point.write(into: $0) }
            }
        }
        seal(&command)
        return command
    }
}
