// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Window: the last handled points, those and no others` {
    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `a point that was given up between handled ones leaves no gap`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for number in 1...12 { try await broker.append("a", number) }
            var handled: [Int] = []
            for number in 1...12 {
                let lane = try await broker.lane(points: 1)
                #expect(lane.numbers == [number])
                if [3, 4, 8].contains(number) {
                    let letter = Emission.message(number, to: .meters, dead: "unreadable")
                    try await broker.commit(lane, 0, .skip, emit: [letter])
                } else {
                    handled.append(number)
                    try await broker.commit(lane)
                }
                // Asked for many, so that one too many would be seen.
                #expect(try await broker.window("a", 100) == Array(handled.suffix(3)))
            }
            #expect(try await broker.streamOperator.replayLane("a", window: 3, in: .meters))
            #expect(try await broker.lane().numbers == [10, 11, 12])
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `a commit that handled nothing cuts nothing from the window`(
        kind: BrokerKind
    ) async throws {
        let ends: [LaneEnd] = [
            .retry(after: .zero, reason: "x"), .release, .next, .skip, .block(reason: "x"),
        ]
        for end in ends {
            try await withStreams(kind) { (broker, clock) async throws in
                try await broker.append("a", 1, 2, 3, 4, 5)
                try await broker.commit(try await broker.lane(points: 3))
                let lane = try await broker.lane()
                let letters = end == .skip ? [Emission.message(7, to: .meters, dead: "x")] : []
                // Who could not read the window says of it what he knows: nothing.
                let settlement = LaneSettlement(
                    lane.token, handled: 0, newest: lane.newest, windowCount: 0, windowBytes: 0,
                    end: end, emissions: letters)
                #expect(try await broker.settleLanes([settlement], in: .meters) == [.done])
                #expect(try await broker.window("a", 100) == [1, 2, 3], "\(end)")
                #expect(try await broker.append("a", 1, 2, 3).allSatisfy { $0 == .duplicate })
            }
        }
    }

    @Test(.tags(.i1, .i9), arguments: BrokerKind.streamStores)
    func `a message whose unique key is taken does not hold up the commit`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            _ = try await broker.enqueue([Sample.message(1, unique: "jam a")], to: .alerts)
            try await broker.append("a", 1)
            let emissions = [
                Emission(Sample.message(2, unique: "jam a"), to: .alerts),
                Emission(Sample.message(3, unique: "jam b"), to: .alerts),
                Emission(Sample.message(4, unique: "jam b"), to: .alerts),
                Emission(Sample.message(5), to: .alerts),
                Emission(Sample.message(6, unique: "jam a"), to: .alerts, deadReason: "x"),
            ]
            let lane = try await broker.lane()
            #expect(try await broker.commit(lane, state: "s", emit: emissions) == .done)
            #expect(try await broker.state("a") == "s")
            #expect(try await broker.window("a") == [1])
            #expect(try await broker.reserve(8, from: .alerts).numbers == [1, 3, 5])
            #expect(try await broker.numbers(.dead, in: .alerts) == [6])
            #expect(try await broker.inspector.check(.alerts, limit: 100) == [])
        }
    }
}
