// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

extension QueueName {
    static let work: QueueName = "work"
    static let other: QueueName = "other"
}

extension Kind {
    static let mail: Kind = "mail"
    static let thumbnail: Kind = "thumbnail"
    static let invoice: Kind = "invoice"
}

extension MessageID {
    /// The number that ``Sample`` gave the message.
    var number: Int { Int(low & 0xFFFF_FFFF) }
}

extension LeasedMessage {
    var number: Int { token.id.number }
}

extension Sequence<LeasedMessage> {
    var numbers: [Int] { map(\.number) }
}

/// Messages by number, so that a test reads as a list of numbers.
enum Sample {
    /// When every virtual clock starts.
    static let start = VirtualClock().now()

    /// The id of message `number`, made at `time` by its own word.
    static func id(_ number: Int, at time: Timestamp = start) -> MessageID {
        MessageID(
            high: UInt64(time.milliseconds) << 16 | 0x7000,
            low: 0x8000_0000_0000_0000 | UInt64(number))
    }

    static func body(_ number: Int) -> [UInt8] { [UInt8]("message \(number)".utf8) }

    static func message(
        _ number: Int, kind: Kind = .mail, priority: Priority = .normal, maxAttempts: UInt8 = 255,
        unique: String? = nil, due: NewMessage.Due = .now, isResend: Bool = false,
        at time: Timestamp = start, body: [UInt8]? = nil
    ) -> NewMessage {
        NewMessage(
            id: id(number, at: time), kind: kind, priority: priority, maxAttempts: maxAttempts,
            uniqueKey: unique, due: due, isResend: isResend, body: body ?? self.body(number))
    }

    static func messages(_ numbers: some Sequence<Int>) -> [NewMessage] {
        numbers.map { message($0) }
    }
}

/// The words again, with the queue `work` and the usual arguments filled in.
extension Broker {
    @discardableResult
    func enqueue(_ numbers: Int...) async throws -> [EnqueueOutcome] {
        try await enqueue(Sample.messages(numbers), to: .work)
    }

    @discardableResult
    func enqueue(_ messages: [NewMessage]) async throws -> [EnqueueOutcome] {
        try await enqueue(messages, to: .work)
    }

    @discardableResult
    func enqueue(_ message: NewMessage) async throws -> EnqueueOutcome {
        try #require(try await enqueue([message], to: .work).first)
    }

    func reserve(
        _ count: Int = 1, bytes: Int = 16 << 20, lease: Duration = .seconds(30),
        kinds: [Kind]? = nil, freeSlots: Int? = nil, suspects: Bool = false, worker: UInt32 = 0,
        from queue: QueueName = .work
    ) async throws -> [LeasedMessage] {
        let request = ReserveRequest(
            count, bytes: bytes, lease: lease, kinds: kinds, freeSlots: freeSlots,
            takesSuspects: suspects, worker: worker)
        return try await reserve(request, from: queue).messages
    }

    /// The next message; the test stops when there is none.
    func reserveOne(
        lease: Duration = .seconds(30), suspects: Bool = false, worker: UInt32 = 0,
        from queue: QueueName = .work
    ) async throws -> LeasedMessage {
        let taken = try await reserve(
            lease: lease, suspects: suspects, worker: worker, from: queue)
        return try #require(taken.first)
    }

    /// Everything that can be handed out now, call by call: one answer may hold fewer than asked.
    func reserveAll(
        kinds: [Kind]? = nil, lease: Duration = .seconds(30), from queue: QueueName = .work
    ) async throws -> [LeasedMessage] {
        var all: [LeasedMessage] = []
        while true {
            let some = try await reserve(128, lease: lease, kinds: kinds, from: queue)
            if some.isEmpty { return all }
            all += some
        }
    }

    @discardableResult
    func settle(
        _ message: LeasedMessage, _ verdict: Verdict, in queue: QueueName = .work
    ) async throws -> SettleOutcome {
        try #require(try await settle([Settlement(message.token, verdict)], in: queue).first)
    }

    @discardableResult
    func settle(
        _ messages: [LeasedMessage], _ verdict: Verdict, in queue: QueueName = .work
    ) async throws -> [SettleOutcome] {
        try await settle(messages.map { Settlement($0.token, verdict) }, in: queue)
    }

    @discardableResult
    func checkpoint(_ message: LeasedMessage, _ text: String) async throws -> SettleOutcome {
        let outcomes = try await checkpoint(
            [Checkpoint(message.token, [UInt8](text.utf8))], in: .work)
        return try #require(outcomes.first)
    }

    /// Nil when the store knows nothing of it.
    func find(_ number: Int, in queue: QueueName = .work) async throws -> MessageRecord? {
        try await inspector.message(Sample.id(number), in: queue)
    }

    /// The test stops when the store knows nothing of it.
    func record(_ number: Int, in queue: QueueName = .work) async throws -> MessageRecord {
        try #require(try await find(number, in: queue), "no record of message \(number)")
    }

    func state(_ number: Int, in queue: QueueName = .work) async throws -> MessageState {
        try await record(number, in: queue).state
    }

    func counts(of queue: QueueName = .work) async throws -> QueueCounts {
        try await inspector.counts(of: queue)
    }

    /// The numbers in one state, over all pages.
    func numbers(_ state: MessageState, in queue: QueueName = .work) async throws -> [Int] {
        var all: [Int] = []
        var cursor: PageCursor?
        repeat {
            let page = try await inspector.messages(state, in: queue, after: cursor, limit: 64)
            all += page.messages.map(\.id.number)
            cursor = page.next
        } while cursor != nil
        return all
    }

    /// All that can be seen of a queue and these messages, to compare before and after.
    func snapshot(_ numbers: Int..., in queue: QueueName = .work) async throws -> Snapshot {
        var snapshot = Snapshot(counts: try await counts(of: queue))
        for number in numbers {
            snapshot.records.append(try await find(number, in: queue))
        }
        for state in MessageState.allCases {
            snapshot.places[state] = try await self.numbers(state, in: queue)
        }
        return snapshot
    }

    func settings(
        of queue: QueueName = .work, _ change: (inout QueueSettings) -> Void
    ) async throws {
        var settings = try await `operator`.settings(of: queue)
        change(&settings)
        try await `operator`.apply(settings, to: queue)
    }

    /// Hands `numbers`' messages out and lets their leases run out, `times` times.
    func lose(_ count: Int = 1, times: Int = 1, on clock: VirtualClock) async throws {
        for _ in 0..<times {
            let taken = try await reserve(count, suspects: true)
            #expect(taken.count == count)
            clock.advance(by: .seconds(31))
            try await reclaim(64, in: .work)
        }
    }
}

struct Snapshot: Equatable {
    var counts: QueueCounts
    var records: [MessageRecord?] = []
    var places: [MessageState: [Int]] = [:]

    init(counts: QueueCounts) { self.counts = counts }
}

/// Expects a ``BrokerError/invalid(_:)`` and nothing else.
func expectInvalid(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("accepted what can never be accepted", sourceLocation: sourceLocation)
    } catch BrokerError.invalid(let problem) {
        #expect(!problem.advice.isEmpty, "an error says what to do", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected `invalid`, not \(error)", sourceLocation: sourceLocation)
    }
}
