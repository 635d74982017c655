// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

@Suite struct `An append` {
    @Test func `of the same point twice is one point where its time is its id`() async throws {
        let scene = Scene(byTime: true)
        let points = [Reading("a", 1), Reading("a", 2)]
        #expect(try await scene.readings.append(contentsOf: points) == [.appended, .appended])
        #expect(try await scene.readings.append(contentsOf: points) == [.duplicate, .duplicate])
    }

    @Test func `by the time of sending rises even when the clock stands still`() async throws {
        let scene = Scene()
        let points = (1...1000).map { Reading("k\($0 % 3)", $0) }
        let answers = try await scene.readings.append(contentsOf: points)
        #expect(answers.allSatisfy { $0 == .appended })
    }

    @Test(arguments: [LatePolicy.accept, .drop, .divert(to: .lates)])
    func `of a late point keeps to the stream's policy`(policy: LatePolicy) async throws {
        var scene = Scene(byTime: true)
        scene.readings.late = policy
        let answers = try await scene.readings.append(
            contentsOf: [Reading("a", 5), Reading("a", 3), Reading("a", 6)])
        let late = try await scene.broker.counts(of: .lates).enqueued
        switch policy {
        case .accept: #expect(answers == [.appended, .late, .appended])
        case .drop: #expect(answers == [.appended, .dropped, .appended])
        case .divert:
            #expect(answers == [.appended, .diverted, .appended])
            #expect(late == 1)
            _ = try await scene.readings.append(Reading("a", 3))
            #expect(try await scene.broker.counts(of: .lates).enqueued == 1, "sent again: known")
        }
        let waiting = try await scene.record("a")?.pending.count
        #expect(waiting == (policy == .accept ? 3 : 2))
    }

    @Test func `to a full key says which points were not added`() async throws {
        var scene = Scene()
        scene.readings.maxPending = 2
        let points = (1...3).map { Reading("a", $0) } + [Reading("b", 1)]
        let error = await #expect(throws: AppendError.self) {
            try await scene.readings.append(contentsOf: points)
        }
        guard case .full(_, let places) = error else {
            Issue.record("expected full, not \(String(describing: error))")
            return
        }
        #expect(places == [2])
        #expect(try await scene.record("b")?.pending.count == 1)
    }

    @Test func `from a device whose clock is wrong is refused`() async throws {
        let scene = Scene(byTime: true)
        let error = await #expect(throws: AppendError.self) {
            try await scene.readings.append(Reading("a", 200_000))
        }
        guard case .ahead(_, [0]) = error else {
            Issue.record("expected ahead, not \(String(describing: error))")
            return
        }
    }

    @Test func `by two producers in one millisecond loses neither point`() async throws {
        let scene = Scene()
        let other = Readings(
            "readings", of: Reading.self, key: \.device, window: 4, state: Usage.self,
            on: scene.faults)
        for pages in 1...100 {
            let one = try await scene.readings.append(Reading("a", pages))
            let two = try await other.append(Reading("a", -pages))
            #expect(one != .duplicate && two != .duplicate)
        }
        let pending = try await scene.faults.streamInspector.counts(ofStream: "readings").pending
        #expect(pending == 200)
    }

    @Test func `whose id another producer made too gets another one`() async throws {
        let scene = Scene()
        let seen = Log<PointID>()
        scene.faults.inject {
            $0.knows = { point in
                seen.add(point.id)
                return seen.entries.count <= 2
            }
        }
        let answers = try await scene.readings.append(
            contentsOf: [Reading("a", 1), Reading("b", 2), Reading("c", 3)])
        #expect(!answers.contains(.duplicate))
        #expect(Set(seen.entries).count == 5, "two were sent again, under new ids")
        for key in ["a", "b", "c"] {
            #expect(try await scene.record(key)?.pending.count == 1)
        }
    }

    @Test func `can't divert late points into the stream's own queue`() async throws {
        var scene = Scene(byTime: true)
        scene.readings.late = .divert(to: "readings")
        await #expect(throws: AppendError.self) {
            try await scene.readings.append(Reading("a", 1))
        }
    }
}
