// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

/// What did not agree.
struct StreamDisagreement: Error, CustomStringConvertible {
    var seed: UInt64
    var step: Int
    var word: String
    var reason: String

    var description: String {
        "GODWIT_SEED=\(seed) GODWIT_SEQUENCES=1, step \(step) (\(word)): \(reason)"
    }
}

/// One random sequence of words on a broker and on the book, which must agree in every answer.
struct StreamCourse {
    static let keys = ["a", "b", "\u{0}c", "d:ä{x}", "longer than eight bytes 1"]

    let door: StreamDoor
    let clock: VirtualClock
    let seed: UInt64
    let stream: QueueName
    let queue: QueueName
    var book = StreamBook()
    var ledger = Ledger()
    var random: Xoshiro
    /// Everything ever handed out, the last leases at the end.
    var taken: [LeasedLane] = []
    /// Every id that was sent, by key.
    var sent: [String: [PointID]] = [:]
    var lastID: UInt64
    /// What the book calls each birth that the broker told, by key: only their changes are promised.
    var births: [String: [UInt32: UInt32]] = [:]
    var step = 0
    var word = ""
    /// How often each corner was come across.
    var met: [String: Int] = [:]

    init(_ seed: UInt64, on door: StreamDoor, clock: VirtualClock) throws {
        self.door = door
        self.clock = clock
        self.seed = seed
        stream = try QueueName("s\(seed)")
        queue = try QueueName("q\(seed)")
        random = Xoshiro(seed: seed)
        lastID = PointID(clock.now()).rawValue
    }

    var now: Timestamp { clock.now() }
    mutating func roll(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func chance(_ percent: Int) -> Bool { roll(0..<100) < percent }
    mutating func key() -> String { Self.keys[roll(0..<Self.keys.count)] }
    mutating func meet(_ corner: String) { met[corner, default: 0] += 1 }

    func fail(_ reason: String) -> StreamDisagreement {
        StreamDisagreement(seed: seed, step: step, word: word, reason: reason)
    }

    func expect<Answer: Equatable>(
        _ answer: Answer, _ own: Answer, _ what: String = "the answer"
    ) throws {
        if answer != own { throw fail("\(what) is \(answer), and should be \(own)") }
    }

    /// The broker's birth in the book's words; zero where one has changed and the other has not.
    mutating func birth(_ told: UInt32, of key: String, _ own: UInt32?) -> UInt32 {
        guard told != 0, let own, own != 0 else { return told }
        let known = births[key, default: [:]]
        if let same = known[told] { return same }
        if known.values.contains(own) { return 0 }
        births[key, default: [:]][told] = own
        return own
    }

    mutating func run(steps: Int) async throws {
        if chance(30) {
            var settings = QueueSettings()
            settings.maxMessages = roll(1..<6)
            try await door.broker.operator.apply(settings, to: queue)
            ledger.apply(settings, to: queue)
        }
        while step < steps {
            clock.advance(by: .milliseconds(chance(25) ? roll(1..<15_000) : roll(1..<50)))
            try await runWord()
            step += 1
            if step % 6 == 0 || step == steps { try await compareAll() }
        }
        if seed % 5 == 0 {
            try expect(
                await door.broker.inspector.check(stream, limit: 10_000), [], "check of the stream")
        }
    }

    // MARK: Everything that can be seen

    mutating func compareAll() async throws {
        let inspector = door.broker.streamInspector
        try expect(book.check(), [], "the book's own check")
        try expect(try await inspector.counts(ofStream: stream), book.counts, "counts")
        for order in LaneOrder.allCases {
            try expect(
                try await inspector.lanes(of: stream, by: order, limit: 4).map(\.key),
                book.lanes(by: order, limit: 4).map(\.key), "keys by \(order)")
        }
        for key in Self.keys {
            for window in [100, 2] {
                var record = try await inspector.lane(key, window: window, in: stream)
                record?.memory.bytesMoved = 0
                let own = book.lane(key, window: window)
                if let told = record?.memory.birth {
                    record?.memory.birth = birth(told, of: key, own?.memory.birth)
                }
                try expect(record, own, "the key \(key.debugDescription)")
            }
        }
        func sorted(_ keys: [DroppedKey]) -> [DroppedKey] {
            keys.sorted { ($0.droppedAt, $0.key) < ($1.droppedAt, $1.key) }
        }
        try expect(
            sorted(try await inspector.droppedKeys(of: stream)), sorted(book.droppedKeys),
            "dropped keys")
        for name in [queue, stream] {
            try expect(
                try await door.broker.inspector.counts(of: name), ledger.counts(of: name),
                "counts of the queue '\(name)'")
        }
    }
}
