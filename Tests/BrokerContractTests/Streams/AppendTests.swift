// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Append: points wait in their lane` {
    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `points of a key are handed out in the order they were appended`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(try await broker.append("a", 1, 2, 3) == [.appended, .appended, .appended])
            #expect(try await broker.append("a", 4) == [.appended])
            let lane = try await broker.lane()
            #expect(lane.key == "a")
            #expect(lane.numbers == [1, 2, 3, 4])
            #expect(lane.position == 0)
            #expect(lane.points[0].body == [UInt8]("a 1".utf8))
            #expect(lane.points.allSatisfy { !$0.isLate })
        }
    }

    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `a lane is leased as a whole`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            _ = try await broker.lane(points: 1)
            #expect(try await broker.lanes().isEmpty)
            try await broker.append("a", 3)
            #expect(try await broker.lanes().isEmpty, "an append frees no lane")
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.streamStores)
    func `lanes take turns`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2, 3)
            try await broker.append("b", 1)
            try await broker.append("c", 1)
            let first = try await broker.lane(points: 1)
            #expect(first.key == "a")
            #expect(try await broker.commit(first) == .done)
            #expect(try await broker.lanes(points: 1).map(\.key) == ["b", "c", "a"])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `an answer holds as many lanes and points as asked for`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for key in ["a", "b", "c"] { try await broker.append(key, 1, 2, 3) }
            let taken = try await broker.lanes(2, points: 2)
            #expect(taken.map(\.key) == ["a", "b"])
            #expect(taken.map(\.numbers) == [[1, 2], [1, 2]])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `an answer stops before its bytes are used up, and one point always goes`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for key in ["a", "b"] { try await broker.append(key, 1, 2) }
            let size = StoredPoint.size(ofBody: 3, isLate: false)
            #expect(try await broker.lanes(bytes: 1).map(\.numbers) == [[1]])
            #expect(try await broker.lanes(bytes: size).map(\.numbers) == [[1]])
        }
        try await withStreams(kind) { (broker, _) async throws in
            for key in ["a", "b", "c"] { try await broker.append(key, 1, 2) }
            let size = StoredPoint.size(ofBody: 3, isLate: false)
            let taken = try await broker.lanes(bytes: 3 * size)
            #expect(taken.map(\.numbers) == [[1, 2], [1]])
            #expect(try await broker.lanes().map(\.key) == ["c"], "what did not fit is still there")
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `a point that waits is a duplicate`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(
                try await broker.append("a", 1, 2, 2, 1) == [
                    .appended, .appended, .duplicate, .duplicate,
                ])
            #expect(try await broker.append("b", 1) == [.appended], "another key's id is its own")
            #expect(try await broker.waiting("a") == [1, 2])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `a point of the window is a duplicate`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            try await broker.commit(try await broker.lane())
            #expect(try await broker.append("a", 1, 2) == [.duplicate, .duplicate])
            #expect(try await broker.phase("a") == .idle)
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a late point is appended behind the newest and marked`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(try await broker.append("a", 5, 3, 6) == [.appended, .appendedLate, .appended])
            let lane = try await broker.lane()
            #expect(lane.numbers == [5, 3, 6])
            #expect(lane.points.map(\.isLate) == [false, true, false])
            try await broker.commit(lane)
            #expect(
                try await broker.append("a", 4) == [.appendedLate], "older than what was handled")
            #expect(try await broker.append("a", 3, 4) == [.duplicate, .duplicate])
            #expect(try await broker.streamCounts().late == 2)
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a late point behind a late one is measured by the newest of all`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 9, 3)
            #expect(try await broker.append("a", 5, 10) == [.appendedLate, .appended])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `where late points are not accepted the producer is told`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(
                try await broker.append("a", 5, 3, 6, late: false) == [
                    .appended, .late, .appended,
                ])
            #expect(try await broker.append("a", 5, late: false) == [.duplicate])
            #expect(try await broker.waiting("a") == [5, 6])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `a key that holds its maximum refuses more`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(
                try await broker.append("a", 1, 2, 3, maxPending: 2) == [
                    .appended, .appended, .full,
                ])
            #expect(try await broker.append("b", 1, maxPending: 2) == [.appended])
            #expect(try await broker.append("a", 1, maxPending: 2) == [.duplicate])
            try await broker.commit(try await broker.lane(), 1)
            #expect(try await broker.append("a", 3, maxPending: 2) == [.appended])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a point from the future is refused`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            let hour = Duration.seconds(3600)
            let ahead = NewPoint(key: "a", id: PointID(clock.now() + hour * 25), body: [1])
            let near = NewPoint(key: "a", id: PointID(clock.now() + hour * 23), body: [1])
            let outcomes = try await broker.append(
                [ahead, near], to: .meters, options: AppendOptions())
            #expect(outcomes == [.ahead, .appended])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `keys hold any text, points any bytes`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            let keys = [
                "Drucker \u{1F5A8} №1", "a:b{c}d", "\u{0}\n\r\t'\"",
                String(repeating: "k", count: 256),
            ]
            let bodies: [[UInt8]] = [[], [0, 10, 13, 255], Array(repeating: 7, count: 64 << 10)]
            for key in keys {
                let points = bodies.enumerated().map { index, body in
                    NewPoint(key: key, id: .number(index), body: body)
                }
                _ = try await broker.append(points, to: .meters, options: AppendOptions())
                let lane = try await broker.lane()
                #expect(lane.key == key)
                #expect(lane.points.map(\.body) == bodies)
                #expect(try await broker.commit(lane, state: "s") == .done)
                #expect(try await broker.record(key).memory.window.map(\.body) == bodies)
            }
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `what can never be accepted is refused with advice`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            let points = [
                NewPoint(key: "", id: .number(1), body: [1]),
                NewPoint(key: String(repeating: "k", count: 257), id: .number(1), body: [1]),
                NewPoint(
                    key: "a", id: .number(1), body: Array(repeating: 0, count: (64 << 10) + 1)),
            ]
            for point in points {
                await expectInvalid {
                    _ = try await broker.append(
                        [.point("b", 1), point], to: .meters, options: AppendOptions())
                }
            }
            #expect(try await broker.streamCounts() == StreamCounts(), "nothing was added")
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `an append of nothing and of very much`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            #expect(try await broker.append([], to: .meters, options: AppendOptions()) == [])
            let many = (0..<1000).map { NewPoint.point("k\($0 % 7)", $0) }
            let outcomes = try await broker.append(many, to: .meters, options: AppendOptions())
            #expect(outcomes.count == 1000 && outcomes.allSatisfy { $0 == .appended })
            #expect(try await broker.streamCounts().pending == 1000)
            #expect(try await broker.streamInspector.streams() == [.meters])
        }
    }
}
