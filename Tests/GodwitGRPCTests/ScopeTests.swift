// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitTesting
import Testing

/// What a caller sees and does of a store, when it may do so in some queues only.
@Suite("Scope", .timeLimit(.minutes(2))) struct ScopeTests {
    /// May do these acts in queues that begin with `mine`, and nothing elsewhere.
    private static func caller(_ acts: Act...) -> Caller {
        Caller { act, queue in
            acts.contains(act) && queue.map { $0.text.hasPrefix("mine") } ?? false
        }
    }

    private static func id(_ number: Int, _ clock: VirtualClock) -> MessageID {
        MessageID(
            high: UInt64(clock.now().milliseconds) << 16 | 0x7000,
            low: 0x8000_0000_0000_0000 | UInt64(number))
    }

    private static func message(_ number: Int, _ clock: VirtualClock) -> NewMessage {
        NewMessage(id: id(number, clock), kind: "mail", body: [1])
    }

    /// A store with message 1 in `mine`, 2 in `others`, and 3 forwarded from `mine-too` to `others`.
    private func filled(_ clock: VirtualClock) async throws -> MemoryBroker {
        let store = MemoryBroker(time: clock)
        _ = try await store.enqueue([Self.message(1, clock)], to: "mine")
        _ = try await store.enqueue([Self.message(2, clock)], to: "others")
        _ = try await store.enqueue([Self.message(3, clock)], to: "mine-too")
        let taken = try await store.reserve(ReserveRequest(1), from: "mine-too").messages
        _ = try await store.settle(
            taken.map { Settlement($0.token, .forward(to: "others")) }, in: "mine-too")
        return store
    }

    @Test func `lists leave out what the caller may not see`() async throws {
        let clock = VirtualClock()
        let store = try await filled(clock)
        try await LoopbackDoor.open(store, as: Self.caller(.inspect)) { remote async throws in
            #expect(try await remote.queues() == ["mine", "mine-too"])
            #expect(try await remote.find(Self.id(1, clock))?.queue == "mine")
            #expect(try await remote.find(Self.id(2, clock)) == nil)
            // The copy that tells most is in a queue of others.
            #expect(try await store.find(Self.id(3, clock))?.queue == "others")
            let seen = try await remote.find(Self.id(3, clock))
            #expect(seen?.queue == "mine-too" && seen?.record.state == .forwarded)
            #expect(try await remote.find(Self.id(99, clock)) == nil)
        }
        await store.shutdown()
    }

    @Test func `a search looks nowhere else, whatever it asks for`() async throws {
        let clock = VirtualClock()
        let store = try await filled(clock)
        try await LoopbackDoor.open(store, as: Self.caller(.inspect)) { remote async throws in
            for (text, queues) in [
                ("", ["mine", "mine-too"]), ("queue:others", []), ("-queue:mine", ["mine-too"]),
                ("id:\(Self.id(2, clock))", []), ("id:\(Self.id(3, clock))", ["mine-too"]),
                ("queue:mine,others state:ready", ["mine"]),
            ] {
                let plan = QueryPlan(try Query(text), now: clock.now())
                let page = try await remote.search(plan, after: nil, budget: SearchBudget())
                #expect(page.messages.map(\.queue.text) == queues, "\(text)")
                #expect(page.next == nil)
                #expect(page.scanned <= 2, "others are not even looked at")
            }
            // A cursor into a queue of others is as good as one of another query.
            let plan = QueryPlan(try Query(""), now: clock.now())
            let budget = SearchBudget(messages: 3, records: 1)
            let all = try await store.search(plan, after: nil, budget: budget)
            var cursor = all.next
            while let next = cursor, !next.text.contains("/others/") {
                cursor = try await store.search(plan, after: next, budget: budget).next
            }
            let others = try #require(cursor)
            do {
                _ = try await remote.search(plan, after: others, budget: budget)
                Issue.record("a cursor into a queue of others was taken")
            } catch BrokerError.invalid {}
        }
        await store.shutdown()
    }

    @Test func `what is of others is denied with one text, there or not`() async throws {
        let clock = VirtualClock()
        let store = try await filled(clock)
        let all = Self.caller(.produce, .work, .inspect, .operate)
        try await LoopbackDoor.open(store, as: all) { remote async throws in
            let id = Self.id(2, clock)
            for queue: QueueName in ["others", "nowhere"] {
                let calls: [() async throws -> Void] = [
                    { _ = try await remote.counts(of: queue) },
                    { _ = try await remote.kinds(of: queue) },
                    { _ = try await remote.settings(of: queue) },
                    { _ = try await remote.check(queue, limit: 10) },
                    { _ = try await remote.message(id, in: queue) },
                    { _ = try await remote.messages(.ready, in: queue, after: nil, limit: 1) },
                    { _ = try await remote.redrive([id], in: queue) },
                    { _ = try await remote.cancel([id], in: queue) },
                    { _ = try await remote.promote([id], in: queue) },
                    { try await remote.pause(queue) },
                    { try await remote.resume(queue) },
                    { _ = try await remote.purge(queue, limit: 1) },
                    { try await remote.apply(QueueSettings(), to: queue) },
                    { _ = try await remote.faults(in: queue, limit: 1) },
                    { _ = try await remote.repair(Fault(.counter, in: queue, ""), isDryRun: true) },
                    { _ = try await remote.events(in: queue, after: nil, limit: 1) },
                    { try await remote.markArchived(through: EventPosition("1"), in: queue) },
                    { _ = try await remote.backlog(of: queue) },
                    { _ = try await remote.enqueue([Self.message(9, clock)], to: queue) },
                    { _ = try await remote.reserve(ReserveRequest(1), from: queue) },
                ]
                for (place, call) in calls.enumerated() {
                    #expect(await isDenied(call), "call \(place) in \(queue)")
                }
            }
            #expect(try await store.counts(of: "others").ready == 2)
            #expect(try await remote.counts(of: "mine").ready == 1)
        }
        await store.shutdown()
    }

    @Test func `who may not produce somewhere does not forward or emit there`() async throws {
        let clock = VirtualClock()
        let store = try await filled(clock)
        let worker = Caller { act, queue in
            (act == .work && queue == "mine") || (act == .produce && queue == "mine-next")
        }
        try await LoopbackDoor.open(store, as: worker) { remote async throws in
            let token = try #require(
                try await remote.reserve(ReserveRequest(1), from: "mine").messages.first?.token)
            for target: QueueName in ["others", "nowhere"] {
                let away = [Settlement(token, .forward(to: target))]
                #expect(await isDenied { _ = try await remote.settle(away, in: "mine") })
                let both = await remote.settle(
                    away, thenReserve: ReserveRequest(1), from: "mine")
                #expect(await isDenied { _ = try both.settled.get() })
            }
            // What was denied has changed nothing: the lease is whole, and a forward that is allowed goes.
            #expect(try await store.counts(of: "mine").leased == 1)
            let outcome = try await remote.settle(
                [Settlement(token, .forward(to: "mine-next"))], in: "mine")
            #expect(outcome == [.done])
            #expect(try await store.counts(of: "mine-next").ready == 1)

            let lane = LaneSettlement(
                LaneToken(key: "k", nonce: 1), handled: 0, newest: .none, windowCount: 1,
                windowBytes: 1, end: .next,
                emissions: [Emission(Self.message(7, clock), to: "others")])
            #expect(await isDenied { _ = try await remote.settleLanes([lane], in: "mine") })
        }
        #expect(try await store.counts(of: "others").ready == 2)
        await store.shutdown()
    }

    @Test func `each act opens its own calls only`() async throws {
        let store = try await filled(VirtualClock())
        try await LoopbackDoor.open(store, as: Self.caller(.inspect)) { remote async throws in
            #expect(await isDenied { try await remote.pause("mine") })
            #expect(
                await isDenied {
                    _ = try await remote.cancel([MessageID(at: store.time.now())], in: "mine")
                })
            #expect(await isDenied { try await remote.apply(QueueSettings(), to: "mine") })
            #expect(
                await isDenied {
                    try await remote.markArchived(through: EventPosition("1"), in: "mine")
                })
            #expect(try await remote.settings(of: "mine") == QueueSettings())
            #expect(try await remote.faults(in: "mine", limit: 1) == [])
        }
        try await LoopbackDoor.open(store, as: Self.caller(.operate)) { remote async throws in
            #expect(await isDenied { _ = try await remote.counts(of: "mine") })
            #expect(await isDenied { _ = try await remote.faults(in: "mine", limit: 1) })
            #expect(await isDenied { _ = try await remote.settings(of: "mine") })
            #expect(
                await isDenied { _ = try await remote.events(in: "mine", after: nil, limit: 1) })
            #expect(try await remote.queues() == [])
            try await remote.pause("mine")
        }
        #expect(try await store.counts(of: "mine").isPaused)
        await store.shutdown()
    }

    @Test func `nobody in particular gets in nowhere`() async throws {
        let store = MemoryBroker(time: VirtualClock())
        await #expect(throws: BrokerError.self) {
            try await LoopbackDoor.open(store, as: nil) { _ in Issue.record("let in") }
        }
        await store.shutdown()
    }
}
