// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

extension QueueName {
    static let meters: QueueName = "meters"
    static let alerts: QueueName = "alerts"
}

/// Runs `body` on a fresh broker that keeps streams.
func withStreams(
    _ kind: BrokerKind, _ body: (any StreamBroker, VirtualClock) async throws -> Void
) async throws {
    try await withBroker(kind) { broker, clock in
        let broker = try #require(broker as? any StreamBroker, "\(kind) keeps no streams")
        try await body(broker, clock)
    }
}

extension PointID {
    /// The id of point `number`: one second apart, from the virtual clock's start.
    static func number(_ number: Int) -> PointID {
        PointID(Sample.start + .seconds(Double(number) - 100))
    }
}

extension StoredPoint {
    /// The number that ``NewPoint/point(_:_:)`` gave it.
    var number: Int {
        Int((id.time - Sample.start).milliseconds / 1000) + 100
    }
}

extension NewPoint {
    static func point(_ key: String, _ number: Int) -> NewPoint {
        NewPoint(key: key, id: .number(number), body: [UInt8]("\(key) \(number)".utf8))
    }
}

extension LeasedLane {
    var key: String { token.key }
    var numbers: [Int] { points.map(\.number) }
}

/// The words again, with the stream `meters` and the usual arguments filled in.
extension StreamBroker {
    @discardableResult
    func append(
        _ key: String, _ numbers: Int..., late: Bool = true, maxPending: Int = 100_000
    ) async throws -> [AppendOutcome] {
        try await append(
            numbers.map { .point(key, $0) }, to: .meters,
            options: AppendOptions(acceptsLate: late, maxPending: maxPending))
    }

    func lanes(
        _ lanes: Int = 16, points: Int = 16, bytes: Int = 256 << 10,
        lease: Duration = .seconds(30), suspects: Bool = false
    ) async throws -> [LeasedLane] {
        try await reserveLanes(
            LaneRequest(lanes, points: points, bytes: bytes, lease: lease, takesSuspects: suspects),
            from: .meters
        ).lanes
    }

    /// The next lane; the test stops when there is none.
    func lane(points: Int = 16, suspects: Bool = false) async throws -> LeasedLane {
        try #require(try await lanes(1, points: points, suspects: suspects).first)
    }

    /// Commits the first `handled` points of a lane (nil: all that it handed out).
    @discardableResult
    func commit(
        _ lane: LeasedLane, _ handled: Int? = nil, state: String? = nil, window: Int = 3,
        _ end: LaneEnd = .next, emit: [Emission] = []
    ) async throws -> SettleOutcome {
        let handled = handled ?? lane.points.count
        let done = lane.points.prefix(handled)
        let kept = try await memories(of: [lane.key], window: window, in: .meters)[0].window
        let newWindow = (kept + done).suffix(window)
        var passed = Array(done)
        if end == .skip { passed.append(lane.points[handled]) }
        let settlement = LaneSettlement(
            lane.token, handled: handled,
            newest: passed.map(\.id).reduce(lane.newest) { max($0, $1) },
            state: state.map { [UInt8]($0.utf8) }, windowCount: window,
            windowBytes: newWindow.reduce(0) { $0 + $1.size }, end: end, emissions: emit)
        return try #require(try await settleLanes([settlement], in: .meters).first)
    }

    func record(_ key: String, window: Int = 3) async throws -> LaneRecord {
        try #require(
            try await streamInspector.lane(key, window: window, in: .meters), "no key '\(key)'")
    }

    func phase(_ key: String) async throws -> LanePhase { try await record(key).summary.phase }

    func window(_ key: String, _ count: Int = 3) async throws -> [Int] {
        try await record(key, window: count).memory.window.map(\.number)
    }

    func waiting(_ key: String) async throws -> [Int] {
        try await record(key).pending.map(\.number)
    }

    func state(_ key: String) async throws -> String {
        String(decoding: try await record(key).memory.state, as: UTF8.self)
    }

    func streamCounts() async throws -> StreamCounts {
        try await streamInspector.counts(ofStream: .meters)
    }

    /// All that can be seen of a stream, to compare before and after.
    func view() async throws -> StreamView {
        var view = StreamView(counts: try await streamCounts())
        for summary in try await streamInspector.lanes(of: .meters, by: .lag, limit: 1000) {
            view.lanes.append(try await record(summary.key, window: 100))
        }
        for index in view.lanes.indices { view.lanes[index].memory.bytesMoved = 0 }
        return view
    }
}

struct StreamView: Equatable {
    var counts: StreamCounts
    var lanes: [LaneRecord] = []

    init(counts: StreamCounts) { self.counts = counts }
}

extension Emission {
    /// Message `number` for a queue.
    static func message(
        _ number: Int, to queue: QueueName = .alerts, dead: String? = nil
    ) -> Emission {
        Emission(Sample.message(number), to: queue, deadReason: dead)
    }
}
