// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Lane leases: they run out, come back and are counted` {
    @Test(.tags(.i6), arguments: BrokerKind.streamStores)
    func `a lease that ran out comes back to the head with one point`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            for key in ["a", "b", "c"] { try await broker.append(key, 1, 2) }
            _ = try await broker.lanes(2)
            clock.advance(by: .seconds(29))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 0, "never early")
            clock.advance(by: .seconds(1))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 2)
            let again = try await broker.lanes()
            #expect(again.map(\.key) == ["a", "b", "c"])
            #expect(again.map(\.numbers) == [[1], [1], [1, 2]])
            #expect(again.map(\.lost) == [1, 1, 0])
            #expect(again.map(\.attempt) == [0, 0, 0])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.streamStores)
    func `from its second lost lease on a lane runs alone`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("bad", 1, 2)
            for _ in 0..<2 {
                _ = try await broker.lane()
                clock.advance(by: .seconds(31))
                try await broker.reclaimLanes(64, in: .meters)
            }
            try await broker.append("good", 1)
            let reservation = try await broker.reserveLanes(LaneRequest(8), from: .meters)
            #expect(reservation.lanes.map(\.key) == ["good"])
            #expect(reservation.suspectsWaiting == 1)
            let alone = try await broker.lanes(8, suspects: true)
            #expect(alone.map(\.key) == ["bad"])
            #expect(alone[0].lost == 2)
            #expect(alone[0].numbers == [1])
            try await broker.commit(alone[0])
            #expect(try await broker.lane().key == "bad", "a point that passes clears its key")
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.streamStores)
    func `a suspect that fails or is released stays one`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1)
            for _ in 0..<2 {
                _ = try await broker.lane()
                clock.advance(by: .seconds(31))
                try await broker.reclaimLanes(64, in: .meters)
            }
            try await broker.commit(try await broker.lane(suspects: true), 0, .release)
            #expect(try await broker.lanes().isEmpty)
            let end = LaneEnd.retry(after: .seconds(5), reason: "x")
            try await broker.commit(try await broker.lane(suspects: true), 0, end)
            clock.advance(by: .seconds(5))
            #expect(try await broker.lanes().isEmpty)
            let last = try await broker.lane(suspects: true)
            #expect(last.lost == 2)
            #expect(last.attempt == 1)
            clock.advance(by: .seconds(31))
            try await broker.reclaimLanes(64, in: .meters)
            #expect(try await broker.lane(suspects: true).lost == 3)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.streamStores)
    func `a renewed lease holds, a lost one cannot be renewed`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1)
            try await broker.append("b", 1)
            let taken = try await broker.lanes()
            clock.advance(by: .seconds(20))
            #expect(try await broker.renew([taken[0].token], for: .seconds(30)) == [.done])
            clock.advance(by: .seconds(10))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 1)
            #expect(try await broker.phase("a") == .leased)
            #expect(try await broker.phase("b") == .ready)
            let outcomes = try await broker.renew(taken.map(\.token), for: .seconds(1))
            #expect(outcomes == [.done, .stale])
            clock.advance(by: .seconds(2))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 0, "never shortened")
            clock.advance(by: .seconds(18))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 1)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `reclaim takes at most what it is asked for`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            for number in 0..<5 { try await broker.append("k\(number)", 1) }
            _ = try await broker.lanes()
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaimLanes(2, in: .meters) == 2)
            #expect(try await broker.reclaimLanes(64, in: .meters) == 3)
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.streamStores)
    func `parked lanes come back in due order`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            let delays = ["a": 30, "b": 10, "c": 20]
            for key in ["a", "b", "c"] { try await broker.append(key, 1) }
            for lane in try await broker.lanes() {
                let delay = Duration.seconds(delays[lane.key] ?? 0)
                try await broker.commit(lane, 0, .retry(after: delay, reason: ""))
            }
            clock.advance(by: .seconds(30))
            #expect(try await broker.lanes().map(\.key) == ["b", "c", "a"])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `who waits is woken by an append, a release and a due lane`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            // Each wait must return: one that does not would end in the suite's time limit.
            try await broker.append("a", 1)
            await broker.waitForLanes(in: .meters, upTo: .seconds(3600))
            let lane = try await broker.lane()
            async let woken: Void = broker.waitForLanes(in: .meters, upTo: .seconds(3600))
            try await broker.append("b", 1)
            await woken
            let other = try await broker.lane()
            async let again: Void = broker.waitForLanes(in: .meters, upTo: .seconds(3600))
            try await broker.commit(lane, 0, .release)
            await again
            try await broker.commit(other)
            let last = try await broker.lane()
            try await broker.commit(last, 0, .retry(after: .zero, reason: ""))
            await broker.waitForLanes(in: .meters, upTo: .seconds(3600))
            #expect(try await broker.lane().key == "a")
        }
    }
}

extension StreamBroker {
    func renew(_ tokens: [LaneToken], for lease: Duration) async throws -> [SettleOutcome] {
        try await withCheckedContinuation { continuation in
            renewLanes(tokens, for: lease, in: .meters) { continuation.resume(returning: $0) }
        }.get()
    }
}
