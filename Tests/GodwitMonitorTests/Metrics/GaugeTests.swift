// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Godwit
import GodwitMonitor
import GodwitTesting
import MessagePack
import Testing

@Suite struct `The store's gauges` {
    let test = QueueTest()

    private func value(
        _ look: StoreGauges.Look, _ name: String, _ labels: [String: String] = [:]
    ) throws -> Double? {
        try ScrapedText(OpenMetricsFactory().text(with: look.families)).value(name, labels)
    }

    @Test func `say what stands where and for how long`() async throws {
        let queue = test.queue("mail")
        try await queue.enqueue(Ping())
        test.advance(by: .seconds(90))
        try await queue.enqueue(Ping())
        try await queue.enqueue(Ping(), .delayed(by: .seconds(60)))
        let look = await StoreGauges(test.broker).look()
        #expect(look.isUp)
        #expect(try value(look, "godwit_store_up") == 1)
        #expect(try value(look, "godwit_jobs", ["queue": "mail", "state": "ready"]) == 2)
        #expect(try value(look, "godwit_jobs", ["queue": "mail", "state": "scheduled"]) == 1)
        #expect(try value(look, "godwit_jobs", ["queue": "mail", "state": "dead"]) == 0)
        #expect(try value(look, "godwit_oldest_ready_seconds", ["queue": "mail"]) == 90)
        // One look is no rate.
        #expect(try value(look, "godwit_drain_seconds", ["queue": "mail"]) == nil)
    }

    @Test func `say from two looks when a queue is empty`() async throws {
        let queue = test.queue("mail")
        try await queue.enqueue(contentsOf: (0..<100).map { _ in Ping() })
        let gauges = StoreGauges(test.broker, keptFor: .zero)
        _ = await gauges.look()
        let taken = try await test.broker.reserve(ReserveRequest(40), from: queue.name)
        _ = try await test.broker.settle(
            taken.messages.map { Settlement($0.token, .ack) }, in: queue.name)
        try await queue.enqueue(contentsOf: (0..<20).map { _ in Ping() })
        test.advance(by: .seconds(10))
        let look = await gauges.look()
        // 4/s out, 2/s in, 80 left.
        #expect(try value(look, "godwit_drain_seconds", ["queue": "mail"]) == 40)
        let flow = try #require(look.flows["mail"])
        #expect(flow.arrivals == 2)
        #expect(flow.departures == 4)
        try await queue.enqueue(contentsOf: (0..<200).map { _ in Ping() })
        test.advance(by: .seconds(10))
        let growing = await gauges.look()
        #expect(try value(growing, "godwit_drain_seconds", ["queue": "mail"]) == .infinity)
    }

    @Test func `are read once for those who ask together, and again when they are old`()
        async throws
    {
        try await test.queue("mail").enqueue(Ping())
        let kept = StoreGauges(test.broker, keptFor: .seconds(3600))
        await withTaskGroup { group in
            for _ in 0..<50 {
                group.addTask { #expect(await kept.look().isUp) }
            }
        }
        #expect(kept.walkCount == 1)
        let fresh = StoreGauges(test.broker, keptFor: .zero)
        _ = await fresh.look()
        _ = await fresh.look()
        #expect(fresh.walkCount == 2)
    }

    @Test func `are missing while the store is down, and the rest is there`() async throws {
        let factory = OpenMetricsFactory()
        let queue = withMetricsFactory(factory) { test.queue("mail") }
        try await queue.enqueue(Ping())
        await test.broker.shutdown()
        let look = await StoreGauges(test.broker, metrics: factory).look()
        #expect(!look.isUp)
        let text = try ScrapedText(factory.text(with: look.families))
        #expect(text.value("godwit_store_up") == 0)
        #expect(text.value("godwit_enqueued_total", ["queue": "mail", "kind": "Ping"]) == 1)
        #expect(
            text.value(
                "godwit_store_errors_total", ["word": "scrape", "cause": "unavailable"]) == 1)
        #expect(text.types["godwit_jobs"] == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `answer within their patience though a call of the store never ends`() async throws {
        let factory = OpenMetricsFactory()
        try await test.queue("mail").enqueue(Ping())
        let gate = Gate()
        test.broker.inject(.hang(gate), into: .inspect)
        let gauges = StoreGauges(test.broker, metrics: factory, keptFor: .zero)
        async let first = gauges.look()
        async let second = gauges.look()
        await gate.arrivals(1)
        test.advance(by: StoreGauges.patience)
        // One that comes to its turn only now is answered at once.
        let looks = await [first, second, gauges.look(), gauges.look()]
        #expect(looks.allSatisfy { !$0.isUp })
        #expect(gauges.walkCount == 1, "no walks pile up behind the one that hangs")
        let text = try ScrapedText(factory.text(with: looks[0].families))
        #expect(
            text.value("godwit_store_errors_total", ["word": "scrape", "cause": "timeout"]) == 1)
        // Once it answers, there are gauges again.
        gate.open()
        while await !gauges.look().isUp { await Task.yield() }
        #expect(gauges.walkCount == 2)
    }

    @Test func `count the slots of those who left a beat`() throws {
        func note(_ beat: WorkerBeat) throws -> Note {
            Note(
                name: "\(beat.number)", bytes: try MessagePackEncoder().encode(beat), version: 1,
                writtenAt: test.clock.now())
        }
        func beat(_ number: UInt32, slots: Int, busy: Int, isQuiet: Bool = false) -> WorkerBeat {
            WorkerBeat(
                number: number, name: "w", queue: "mail", kinds: nil, slots: slots, busy: busy,
                startedAt: test.clock.now(), leaseMilliseconds: 30_000, isQuiet: isQuiet)
        }
        let slots = StoreWalk.slots(of: [
            try note(beat(1, slots: 16, busy: 10)), try note(beat(2, slots: 8, busy: 0)),
            try note(beat(3, slots: 4, busy: 1, isQuiet: true)),
            Note(name: "4", bytes: [0xC1], version: 1, writtenAt: test.clock.now()),
        ])
        #expect(slots.count == 1)
        #expect(slots["mail"]?.busy == 11)
        #expect(slots["mail"]?.idle == 14)
        #expect(slots["mail"]?.quiet == 3)
    }
}

private struct Ping: Job {}

@Suite struct `Suggested slots` {
    private func flow(
        _ age: Double, _ ready: Int, _ leased: Int, _ slots: Int, _ busy: Int,
        _ arrivals: Double? = nil, _ departures: Double? = nil
    ) -> QueueFlow {
        QueueFlow(
            oldestSeconds: age, ready: ready, leased: leased, slots: slots, busy: busy,
            arrivals: arrivals, departures: departures)
    }

    @Test func `follow Little's law where there are rates`() {
        // 8 busy at 4/s: a run takes 2 s; 14/s arrive: 28 busy, 40 at 70 %.
        #expect(flow(10, 500, 8, 8, 8, 14, 4).suggestedSlots == 40)
        // The same, with what waits to be gone in a minute: 500 × 2 / 60 / 0.7 more.
        #expect(flow(120, 500, 8, 8, 8, 14, 4).suggestedSlots == 64)
    }

    @Test func `follow the age where there are none`() {
        #expect(flow(1, 50, 0, 0, 0).suggestedSlots == 1)
        #expect(flow(10, 50, 4, 4, 4).suggestedSlots == 4)
        #expect(flow(31, 50, 4, 4, 4).suggestedSlots == 8)
        #expect(flow(0, 0, 3, 8, 3).suggestedSlots == 3)
    }

    @Test func `are never more than there are messages, and none for none`() {
        #expect(flow(500, 3, 0, 100, 0).suggestedSlots == 3)
        #expect(flow(0, 0, 0, 16, 0, 0, 0).suggestedSlots == 0)
        #expect(flow(0, 100_000, 50_000, 10, 10, 1e9, 1e-9).suggestedSlots == QueueFlow.slotLimit)
    }
}
