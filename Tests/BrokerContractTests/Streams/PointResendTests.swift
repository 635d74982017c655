// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Resend: what a key has seen is no second point` {
    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `the newest point is a duplicate though no window keeps it`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            try await broker.commit(try await broker.lane(), window: 0)
            #expect(try await broker.append("a", 2) == [.duplicate])
            #expect(try await broker.append("a", 2, late: false) == [.duplicate])
            #expect(try await broker.append("a", 1) == [.appendedLate], "a window of one too small")
            #expect(try await broker.append("a", 2, 3, 3) == [.duplicate, .appended, .duplicate])
            #expect(try await broker.streamCounts().appended == 4)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `a point that was given up is a duplicate, and its dead letter may come back`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            let letter = Emission.message(7, to: .meters, dead: "unreadable")
            try await broker.commit(try await broker.lane(), 1, .skip, emit: [letter])
            #expect(try await broker.append("a", 2) == [.duplicate])
            #expect(try await broker.redrive("a", 2) == [.appendedLate])
            #expect(try await broker.redrive("a", 2) == [.duplicate], "it waits")
            let lane = try await broker.lane()
            #expect(lane.numbers == [2])
            try await broker.commit(lane)
            #expect(try await broker.redrive("a", 2) == [.duplicate], "it is in the window")
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `what waits deep in a long line is found, late or not`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            // Every tenth number comes late, a hundred behind the others.
            let first = (0..<3000).filter { $0 % 10 != 0 }.map { NewPoint.point("a", 10 * $0 + 10) }
            let late = (0..<3000).filter { $0 % 10 == 0 }.map { NewPoint.point("a", 10 * $0 + 10) }
            var points: [NewPoint] = []
            for start in 0..<300 {
                points += first[start * 9..<start * 9 + 9]
                if start >= 10 { points.append(late[start - 10]) }
            }
            let sent = try await broker.append(points, to: .meters, options: AppendOptions())
            #expect(sent.filter { $0 == .appendedLate }.count == 290)
            #expect(sent.filter { $0 == .appended }.count == 2700)
            let again = try await broker.append(points, to: .meters, options: AppendOptions())
            #expect(again.allSatisfy { $0 == .duplicate })
            let backwards = try await broker.append(
                points.reversed(), to: .meters, options: AppendOptions())
            #expect(backwards.allSatisfy { $0 == .duplicate })
            let between = (0..<40).map { NewPoint.point("a", 700 * $0 + 15) }
            let others = try await broker.append(between, to: .meters, options: AppendOptions())
            #expect(others.allSatisfy { $0 == .appendedLate })
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.streamStores)
    func `a late point is forgotten with the window and known again after a replay`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 5, 3)
            try await broker.commit(try await broker.lane(), window: 3)
            #expect(try await broker.streamOperator.replayLane("a", window: 3, in: .meters))
            #expect(try await broker.append("a", 3) == [.duplicate], "it waits again")
            try await broker.commit(try await broker.lane(), window: 0)
            #expect(try await broker.append("a", 3) == [.appendedLate])
            #expect(try await broker.append("a", 3) == [.duplicate])
            let lane = try await broker.lane()
            #expect(lane.numbers == [3])
            let letter = Emission.message(7, to: .meters, dead: "unreadable")
            try await broker.commit(lane, 0, window: 0, .skip, emit: [letter])
            #expect(
                try await broker.append("a", 3) == [.appendedLate], "given up, it waits no more")
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.streamStores)
    func `idle lanes become ready in the order in which an append names them`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1)
            try await broker.commit(try await broker.lane())
            let points: [NewPoint] = [
                .point("a", 1), .point("b", 1), .point("c", 1), .point("a", 2), .point("b", 2),
            ]
            let outcomes = try await broker.append(points, to: .meters, options: AppendOptions())
            #expect(outcomes == [.duplicate, .appended, .appended, .appended, .appended])
            #expect(try await broker.lanes().map(\.key) == ["a", "b", "c"])
        }
    }
}

extension StreamBroker {
    fileprivate func redrive(_ key: String, _ number: Int) async throws -> [AppendOutcome] {
        try await append(
            [.point(key, number)], to: .meters, options: AppendOptions(isRedrive: true))
    }
}
