// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// The faults that tests are built on do what they say, for every word.
@Suite("The faulty broker", .timeLimit(.minutes(1))) struct FaultTests {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    private func leased() async throws -> LeasedMessage {
        try await queue.enqueue(Count(number: 1))
        let taken = try await test.broker.reserve(ReserveRequest(1), from: queue.name)
        return try #require(taken.messages.first)
    }

    @Test func `a renew is held until its gate opens, and delayed by the clock`() async throws {
        let token = try await leased().token
        let gate = Gate()
        let answers = Log<[SettleOutcome]>()
        let renew = {
            test.broker.renew([token], for: .seconds(30), in: queue.name) {
                answers.add((try? $0.get()) ?? [])
            }
        }
        test.broker.inject(.hold(gate), into: .renew)
        renew()
        #expect(answers.all.isEmpty)
        gate.open()
        #expect(answers.all == [[.done]])
        test.broker.inject(.delay(.seconds(2)), into: .renew)
        renew()
        #expect(answers.all.count == 1)
        test.advance(by: .seconds(2))
        #expect(answers.all == [[.done], [.done]])
    }

    @Test func `a detached settle is held until its gate opens`() async throws {
        let leased = try await leased()
        let gate = Gate()
        test.broker.inject(.hold(gate), into: .settle)
        test.broker.settleDetached([Settlement(leased.token, .ack)], in: queue.name)
        #expect(try await test.record(leased.token.id, in: queue).state == .leased)
        gate.open()
        #expect(try await test.record(leased.token.id, in: queue).state == .completed)
    }

    @Test func `a wait can be cut short`() async throws {
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .wait)
        await test.broker.wait(for: nil, in: queue.name, upTo: .seconds(3600))
        #expect(test.broker.calls(of: .wait) == 1)
    }

    @Test func `the operator, the inspector and the event log fail, too`() async throws {
        for word in [FaultyBroker.Word.operate, .inspect, .events] {
            test.broker.inject(.fail(FaultyBroker.unavailable()), into: word)
        }
        await #expect(throws: BrokerError.self) {
            try await test.broker.operator.pause(queue.name)
        }
        await #expect(throws: BrokerError.self) {
            _ = try await test.broker.inspector.counts(of: queue.name)
        }
        await #expect(throws: BrokerError.self) {
            _ = try await test.broker.eventLog.events(in: queue.name, after: nil, limit: 1)
        }
        #expect(try await test.broker.inspector.counts(of: queue.name).isDrained)
        #expect(test.broker.calls == 0)
    }

    @Test func `each half of a trip that settles and reserves has faults of its own`() async throws
    {
        let leased = try await leased()
        try await queue.enqueue(Count(number: 2))
        test.broker.inject(.loseReply, into: .settle)
        let settlements = [Settlement(leased.token, .ack)]
        let first = await test.broker.settle(
            settlements, thenReserve: ReserveRequest(1), from: queue.name)
        guard case .failure(.unknown) = first.settled, case .success(let taken) = first.reserved
        else {
            Issue.record("a lost reply of one half gave \(first)")
            return
        }
        #expect(taken.messages.count == 1)
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .reserve)
        let second = await test.broker.settle(
            settlements, thenReserve: ReserveRequest(1), from: queue.name)
        guard case .success([.done]) = second.settled, case .failure = second.reserved else {
            Issue.record("a failure of the other half gave \(second)")
            return
        }
    }

    @Test func `a drain says what is wrong with its handlers`() async throws {
        await #expect(throws: WorkerError.self) {
            try await test.drain(queue) {
                $0.handle(Count.self) { _, _ in }
                $0.handle(Count.self) { _, _ in }
            }
        }
    }
}
