// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

/// One run of random words on a broker, with a ledger that follows it word for word.
struct Course {
    let broker: any Broker
    let clock: VirtualClock
    let queues: [QueueName]
    let profile: Profile

    var ledger = Ledger()
    var step = 0
    var dice = Xoshiro(seed: 0)

    /// All ids that were ever sent, with the queue and the message.
    var sent: [(queue: QueueName, message: NewMessage)] = []
    var nextID: UInt64 = 0
    /// All tokens that were ever handed out, in that order.
    var tokens: [(queue: QueueName, token: LeaseToken)] = []
    var lastSettle: (queue: QueueName, list: [Settlement])?
    /// How often each answer was given: a model that never meets a case says nothing about it.
    var met: [String: Int] = [:]

    static let kinds: [Kind] = ["mail", "photo", "report"]

    /// `name` must be new on this broker.
    init(_ name: String, seed: UInt64, on broker: any Broker, clock: VirtualClock) throws {
        self.broker = broker
        self.clock = clock
        self.queues = [try QueueName("\(name)-a"), try QueueName("\(name)-b")]
        self.profile = Profile.allCases[Int(seed % 5) % Profile.allCases.count]
    }

    mutating func run(_ steps: [Step]) async throws {
        try await prepare()
        for (number, step) in steps.enumerated() {
            self.step = number
            dice = Xoshiro(seed: step.seed)
            // Why: a broker that never suspends would keep the thread from all other tests.
            await Task.yield()
            do {
                try await run(step.word)
                if number % 10 == 9 { try await compareAll() }
            } catch let failure as ModelFailure {
                throw failure
            } catch {
                throw ModelFailure(step: number, reason: "\(step.word.rawValue): \(error)")
            }
        }
        step = steps.count
        do {
            try await compareAll()
            try await drain()
            try await compareAll()
            try await account()
        } catch let failure as ModelFailure {
            throw failure
        } catch {
            throw ModelFailure(step: step, reason: "in the end: \(error)")
        }
    }

    private mutating func prepare() async throws {
        var settings = QueueSettings()
        switch profile {
        case .plain: return
        case .shortMemory:
            settings.keepRecords = 3
            settings.keepMilliseconds = 20_000
            settings.keepDead = 2
        case .littleRoom:
            settings.maxMessages = 8
        }
        // The second queue keeps its room, so that a forward is never refused for want of it.
        let queue = queues[0]
        try await broker.operator.apply(settings, to: queue)
        ledger.apply(settings, to: queue)
        if profile == .shortMemory {
            try await broker.operator.apply(settings, to: queues[1])
            ledger.apply(settings, to: queues[1])
        }
    }

    var now: Timestamp { clock.now() }

    func fail(_ reason: String) -> ModelFailure { ModelFailure(step: step, reason: reason) }

    func expect<Answer: Equatable>(
        _ answer: Answer, _ expected: Answer, _ what: @autoclosure () -> String
    ) throws {
        if answer != expected {
            throw fail("\(what()) answered \(answer), and should \(expected)")
        }
    }

    mutating func meet(_ what: @autoclosure () -> String) { met[what(), default: 0] += 1 }

    mutating func roll(_ range: Range<Int>) -> Int { Int.random(in: range, using: &dice) }
    mutating func chance(_ percent: Int) -> Bool { roll(0..<100) < percent }
    mutating func anyQueue() -> QueueName { chance(75) ? queues[0] : queues[1] }

    /// A fresh id of this moment, the same in every replay.
    mutating func freshID() -> MessageID {
        nextID += 1
        let time = UInt64(now.milliseconds)
        return MessageID(
            high: time << 16 | 0x7000 | nextID & 0xFFF,
            low: 0x8000_0000_0000_0000 | UInt64(roll(0..<1 << 30)) << 16 | nextID & 0xFFFF)
    }
}
