// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// What keyed streams promise on Redis beyond the contract: calls, memory, trouble with the server.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `Streams on Redis` {
    @Test func `a round of thirty-two lanes of sixteen points is three calls of the server`()
        async throws
    {
        try await withRedisBroker { broker, _, client in
            func points(_ numbers: Range<Int>) -> [NewPoint] {
                numbers.flatMap { number in (0..<32).map { NewPoint.at(number, of: "k\($0)") } }
            }
            _ = try await broker.append(points(0..<16), to: .meters, options: AppendOptions())
            _ = try await broker.commit(try await broker.lanes(32))
            let before = try await calls(client)
            _ = try await broker.append(points(16..<32), to: .meters, options: AppendOptions())
            let lanes = try await broker.lanes(32)
            #expect(lanes.count == 32 && lanes.allSatisfy { $0.points.count == 16 })
            let both = await broker.settleLanes(
                lanes.map { $0.done() }, thenReserve: LaneRequest(1), from: .meters)
            #expect(try both.settled.get().allSatisfy { $0 == .done })
            // The fourth is the reserve that goes along with the commit.
            #expect(try await calls(client) - before == 4)
        }
    }

    @Test func `an idle key with ten points and a small state takes less than 0.6 KB`()
        async throws
    {
        try await withRedisBroker { broker, _, client in
            let keys = (0..<4096).map { "printer-\($0 + 100_000)" }
            // The scripts are loaded and all that grows once has grown.
            try await broker.fill(["warm"], points: 10)
            let before = try await memory(client)
            try await broker.fill(keys, points: 10)
            let bytes = Double(try await memory(client) - before) / Double(keys.count)
            print("memory per idle key at N = 10: \(bytes) B")
            #expect(bytes < 614)
            #expect(try await broker.streamInspector.counts(ofStream: .meters).idle == 4097)
        }
    }

    @Test func `keys of any bytes stay apart`() async throws {
        try await withRedisBroker { broker, _, _ in
            // The last two look the same and are not: to a store keys are bytes.
            let keys = [
                "*", "?", "[a]", "}:w:", "{a}", "a\r\nFLUSHALL\r\n", "\u{0}", "\u{0}\u{0}", "p:a",
                "a", "rd", "-1", "", "caf\u{E9}", "cafe\u{301}",
            ].filter { !$0.isEmpty }
            for number in 0..<3 {
                let points = keys.map { NewPoint.at(number, of: $0) }
                let outcomes = try await broker.append(
                    points, to: .meters, options: AppendOptions())
                #expect(outcomes.allSatisfy { $0 == .appended })
                let lanes = try await broker.lanes(64)
                #expect(lanes.map { Array($0.token.key.utf8) } == keys.map { Array($0.utf8) })
                #expect(try await broker.commit(lanes).allSatisfy { $0 == .done })
            }
            for key in keys {
                let memory = try await broker.memories(of: [key], window: 5, in: .meters)
                #expect(
                    memory[0].window.map(\.body) == (0..<3).map { NewPoint.at($0, of: key).body })
            }
            #expect(try await broker.check(stream: .meters, limit: 1000) == [])
        }
    }

    @Test func `a full server refuses points and lets workers commit`() async throws {
        try await withRedisBroker { broker, _, client in
            try await broker.fill(["old"], points: 3)
            _ = try await broker.append(
                (0..<20).map { NewPoint.at(100 + $0, of: "k\($0)") }, to: .meters,
                options: AppendOptions())
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "1mb"]))
            let error = await brokerError {
                _ = try await broker.append(
                    [NewPoint.at(200, of: "new")], to: .meters, options: AppendOptions())
            }
            guard case .storageFull = error else {
                Issue.record("not refused as full: \(String(describing: error))")
                return
            }
            let lanes = try await broker.lanes(32)
            #expect(lanes.count == 20)
            #expect(try await broker.commit(lanes, state: [1]).allSatisfy { $0 == .done })
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "0"]))
            #expect(try await broker.streamInspector.counts(ofStream: .meters).pending == 0)
        }
    }

    @Test func `a lost answer to an append is unknown and its repetition is a duplicate`()
        async throws
    {
        try await withServer { server in
            let broker = try await RedisBroker(server.url)
            let points = (0..<3).map { NewPoint.at($0, of: "a") }
            _ = try await broker.append([points[0]], to: .meters, options: AppendOptions())
            // A server that stands still takes the command into its socket and answers too late.
            server.pause()
            let error = await brokerError {
                _ = try await broker.append(points, to: .meters, options: AppendOptions())
            }
            server.resume()
            guard case .unknown = error else {
                Issue.record("not unknown: \(String(describing: error))")
                return
            }
            // Whatever came of it, afterwards the points are there once.
            let again = try await eventually {
                try await broker.append(points, to: .meters, options: AppendOptions())
            }
            #expect(again == [.duplicate, .duplicate, .duplicate])
            #expect(try await broker.lanes(2).map(\.points.count) == [3])
            await broker.shutdown()
        }
    }

    @Test func `scripts that the server forgot are sent again`() async throws {
        try await withRedisBroker { broker, _, client in
            func forget() async throws {
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
            }
            for step in 0..<3 {
                try await forget()
                let outcomes = try await broker.append(
                    [.at(2 * step, of: "a"), .at(2 * step + 1, of: "a")], to: .meters,
                    options: AppendOptions())
                #expect(outcomes == [.appended, .appended])
                try await forget()
                let lane = try #require(try await broker.lanes(1, points: 1).first)
                try await forget()
                let both = await broker.settleLanes(
                    [lane.done(emit: [Emission(.sample(), to: .work)])],
                    thenReserve: LaneRequest(1), from: .meters)
                #expect(try both.settled.get() == [.done])
                let next = try #require(try both.reserved.get().lanes.first)
                #expect(try await broker.commit([next]) == [.done])
            }
            #expect(try await broker.inspector.counts(of: .work).enqueued == 3)
        }
    }

    @Test(arguments: [1, 38, 39, 64 << 10])
    func `state and window outlive the worker, whatever the state's size`(
        _ size: Int
    ) async throws {
        try await withRedisBroker { broker, server, _ in
            let state = [UInt8](repeating: 9, count: size)
            for (step, written) in [state, nil, [1], nil, state].enumerated() {
                _ = try await broker.append(
                    [.at(step, of: "a")], to: .meters, options: AppendOptions())
                #expect(try await broker.commit(broker.lanes(1), state: written) == [.done])
                let expected = step < 2 || step == 4 ? state : [1]
                let memory = try await broker.memories(of: ["a"], window: 3, in: .meters)
                #expect(memory[0].state == expected, "step \(step)")
            }
            let other = try await RedisBroker(server.url)
            let memory = try await other.memories(of: ["a"], window: 3, in: .meters)
            #expect(memory[0].state == state)
            #expect(memory[0].window.map(\.id) == (2..<5).map { NewPoint.at($0, of: "a").id })
            #expect(memory[0].bytesMoved > size)
            let record = try await other.streamInspector.lane("a", window: 3, in: .meters)
            #expect(record?.memory.state == state)
            await other.shutdown()
            _ = try await broker.append([.at(9, of: "a")], to: .meters, options: AppendOptions())
            #expect(try await broker.commit(broker.lanes(1), state: []) == [.done])
            let empty = try await broker.memories(of: ["a"], window: 0, in: .meters)
            #expect(empty[0].state == [])
        }
    }

    @Test func `a small window is kept exactly, a large one to twice its bytes`() async throws {
        try await withRedisBroker { broker, _, client in
            let point = NewPoint.at(0, of: "a")
            let size = StoredPoint.size(ofBody: point.body.count, isLate: false)
            for (key, window) in [("small", 10), ("large", 200)] {
                for start in stride(from: 0, to: 800, by: 16) {
                    _ = try await broker.append(
                        (start..<start + 16).map { .at($0, of: key) }, to: .meters,
                        options: AppendOptions())
                    _ = try await broker.commit(broker.lanes(1), window: window)
                }
                let bytes = try await client.send(
                    RedisCommand(["STRLEN", "{godwit:s:meters:0}:w:\(key)"])
                ).int
                let most = window == 10 ? size * window : 2 * size * window
                #expect(try #require(bytes) <= most)
                let memory = try await broker.memories(of: [key], window: window, in: .meters)
                let expected = (800 - window..<800).map { NewPoint.at($0, of: key).id }
                #expect(memory[0].window.map(\.id) == expected)
            }
        }
    }

    @Test func `many lanes that are released at once keep their order`() async throws {
        try await withRedisBroker { broker, _, _ in
            let keys = (0..<300).map { "k\($0)" }
            _ = try await broker.append(
                keys.map { .at(0, of: $0) }, to: .meters, options: AppendOptions())
            var taken: [LeasedLane] = []
            while taken.count < 300 { taken += try await broker.lanes(128) }
            let outcomes = try await broker.settleLanes(
                taken.map { $0.done(0, .release) }, in: .meters)
            #expect(outcomes.allSatisfy { $0 == .done })
            var again: [String] = []
            while again.count < 300 { again += try await broker.lanes(128).map(\.token.key) }
            #expect(again == keys)
        }
    }

    @Test func `a letter of a skipped point is a dead message like all others`() async throws {
        try await withRedisBroker { broker, _, _ in
            var ids: [MessageID] = []
            for number in 0..<2 {
                _ = try await broker.append(
                    [.at(number, of: "a")], to: .meters, options: AppendOptions())
                let lane = try #require(try await broker.lanes(1).first)
                let message = NewMessage.sample()
                ids.append(message.id)
                let letter = Emission(message, to: .meters, deadReason: "unreadable")
                let outcome = try await broker.settleLanes(
                    [lane.done(0, .skip, emit: [letter])], in: .meters)
                #expect(outcome == [.done])
            }
            let inspector = broker.inspector
            #expect(try await inspector.check(.meters, limit: 100) == [])
            #expect(try await broker.check(stream: .meters, limit: 100) == [])
            #expect(try await inspector.queues() == [.meters])
            #expect(try await inspector.counts(of: .meters).dead == 2)
            #expect(try await broker.operator.redrive([ids[0]], in: .meters) == [.redriven])
            let again = try #require(
                try await broker.reserve(ReserveRequest(1, kinds: [.mail]), from: .meters)
                    .messages.first)
            #expect(again.token.id == ids[0])
            #expect(again.body.count == 100)
            #expect(
                try await broker.settle([Settlement(again.token, .ack)], in: .meters) == [.done])
            var settings = QueueSettings()
            settings.keepDead = 0
            try await broker.operator.apply(settings, to: .meters)
            #expect(try await broker.prune(64, in: .meters) == 1)
            #expect(try await inspector.check(.meters, limit: 100) == [])
        }
    }

    @Test func `a key that lost its place is reported`() async throws {
        try await withRedisBroker { broker, _, client in
            _ = try await broker.append(
                [.at(0, of: "a"), .at(0, of: "b")], to: .meters, options: AppendOptions())
            #expect(try await broker.check(stream: .meters, limit: 10) == [])
            _ = try await client.send(
                RedisCommand(["LREM", "{godwit:s:meters:0}:rd", "1", "a"]))
            _ = try await client.send(
                RedisCommand(["ZADD", "{godwit:s:meters:0}:lb", "1", "b"]))
            let complaints = try await broker.check(stream: .meters, limit: 10)
            #expect(complaints.count == 2)
            #expect(complaints.first?.contains("'a' has 1 waiting points and no place") == true)
        }
    }

    @Test func `a late point looks at few of many that wait`() async throws {
        try await withRedisBroker { broker, _, client in
            // Even numbers; and one late point, whose set must not be what makes it short.
            let many = (0..<20_000).map { NewPoint.at(2 * $0, of: "a") }
            _ = try await broker.append(many, to: .meters, options: AppendOptions())
            _ = try await broker.append([.at(11, of: "a")], to: .meters, options: AppendOptions())
            func looks(_ number: Int) async throws -> (AppendOutcome?, Int) {
                let before = try await calls(client, "lindex") + calls(client, "lrange")
                let outcome = try await broker.append(
                    [.at(number, of: "a")], to: .meters, options: AppendOptions())
                let after = try await calls(client, "lindex") + calls(client, "lrange")
                return (outcome.first, after - before)
            }
            for (number, expected) in [
                (0, AppendOutcome.duplicate), (8, .duplicate), (20_000, .duplicate),
                (39_998, .duplicate), (11, .duplicate), (13, .appendedLate), (13, .duplicate),
            ] {
                let (outcome, count) = try await looks(number)
                #expect(outcome == expected, "\(number)")
                #expect(count <= 20, "\(number) took \(count) looks")
            }
        }
    }

    private func calls(_ client: RedisClient, _ word: String = "evalsha") async throws -> Int {
        let info = try await client.send(RedisCommand(["INFO", "commandstats"])).string ?? ""
        let start = "cmdstat_\(word):calls="
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix(start) {
            return Int(line.dropFirst(start.count).prefix { $0 != "," }) ?? 0
        }
        return 0
    }

    private func memory(_ client: RedisClient) async throws -> Int {
        let info = try await client.send(RedisCommand(["INFO", "memory"])).string ?? ""
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("used_memory:") {
            return Int(line.dropFirst("used_memory:".count)) ?? 0
        }
        return 0
    }
}

extension QueueName {
    fileprivate static let meters: QueueName = "meters"
}

extension NewPoint {
    /// Point `number` of a key: ids a millisecond apart, 16 bytes.
    fileprivate static func at(_ number: Int, of key: String) -> NewPoint {
        NewPoint(
            key: key, id: PointID(Timestamp(milliseconds: 1_700_000_000_000 + Int64(number))),
            body: (0..<16).map { UInt8(truncatingIfNeeded: number + $0) })
    }
}

extension LeasedLane {
    /// Its first points as handled, all of them unless told.
    fileprivate func done(
        _ count: Int? = nil, _ end: LaneEnd = .next, state: [UInt8]? = nil, window: Int = 10,
        emit: [Emission] = []
    ) -> LaneSettlement {
        let handled = points.prefix(count ?? points.count)
        return LaneSettlement(
            token, handled: handled.count,
            newest: handled.map(\.id).reduce(newest) { max($0, $1) }, state: state,
            windowCount: window, windowBytes: window * StoredPoint.size(ofBody: 16, isLate: false),
            end: end, emissions: emit)
    }
}

extension RedisBroker {
    fileprivate func lanes(_ count: Int, points: Int = 16) async throws -> [LeasedLane] {
        try await reserveLanes(LaneRequest(count, points: points), from: .meters).lanes
    }

    fileprivate func commit(
        _ lanes: [LeasedLane], state: [UInt8]? = nil, window: Int = 10
    ) async throws -> [SettleOutcome] {
        try await settleLanes(
            lanes.map { $0.done(state: state, window: window) }, in: .meters)
    }

    /// Appends and commits points of each key, with a state of 16 bytes.
    fileprivate func fill(_ keys: [String], points: Int) async throws {
        for start in stride(from: 0, to: keys.count, by: 64) {
            let part = keys[start..<min(start + 64, keys.count)]
            _ = try await append(
                part.flatMap { key in (0..<points).map { NewPoint.at($0, of: key) } }, to: .meters,
                options: AppendOptions())
            _ = try await commit(try await lanes(64), state: Array(repeating: 5, count: 16))
        }
    }
}
