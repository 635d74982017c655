// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Godwit
import GodwitTesting
import MetricsTestKit
import Testing

@Suite struct `What is counted` {
    let metrics = TestMetrics()
    let test = QueueTest()

    /// A queue that counts for this test.
    private func queue(_ name: QueueName = "counted") -> Queue {
        withMetricsFactory(metrics) { test.queue(name) }
    }

    private func total(_ label: String, _ dimensions: [(String, String)]) -> Int64 {
        metrics.counterTotal(label: label, dimensions: dimensions)
    }

    private func pair(_ kind: String) -> [(String, String)] {
        [("queue", "counted"), ("kind", kind)]
    }

    @Test func `is nothing while nobody wants to know`() {
        #expect(MeterBook.current == nil)
        withMetricsFactory(metrics) { #expect(MeterBook.current != nil) }
    }

    @Test func `enqueues count by queue and kind, and one that was known does not`() async throws {
        let queue = queue()
        let id = queue.newID()
        try await queue.enqueue(contentsOf: (0..<7).map(Count.init))
        try await queue.enqueue(Greet(name: "a"), .id(id))
        try await queue.enqueue(Greet(name: "a"), .id(id))
        #expect(total("godwit_enqueued_total", pair("count")) == 7)
        #expect(total("godwit_enqueued_total", pair("Greet")) == 1)
    }

    @Test func `runs count by their verdicts`() async throws {
        let queue = queue()
        try await queue.enqueue(contentsOf: (0..<10).map(Count.init))
        try await queue.enqueue(Greet(name: "a"), .maxAttempts(1))
        try await Worker(queue) { jobs in
            jobs.handle(Count.self) { job, _ in
                if job.number == 3 { throw Verdict.reject("three") }
            }
            jobs.handle(Greet.self) { _, _ in throw Refusal() }
        }.run(until: .drained)
        #expect(total("godwit_runs_total", pair("count") + [("verdict", "ack")]) == 9)
        #expect(total("godwit_runs_total", pair("count") + [("verdict", "reject")]) == 1)
        #expect(total("godwit_runs_total", pair("Greet") + [("verdict", "reject")]) == 1)
        let runs = try metrics.expectTimer("godwit_run_seconds", pair("count"))
        #expect(runs.values.count == 10)
    }

    @Test func `a worker that takes every kind counts by the name in the message`() async throws {
        let queue = queue()
        try await queue.enqueue(kind: "any.thing", payload: [1], as: .bytes)
        try await Worker(queue) { $0.handleAll { _, _ in } }.run(until: .drained)
        #expect(total("godwit_runs_total", pair("any.thing") + [("verdict", "ack")]) == 1)
    }

    @Test func `a wait counts from when the message was due`() async throws {
        let queue = queue()
        try await queue.enqueue(Count(number: 1), .delayed(by: .seconds(3600)))
        test.advance(by: .seconds(3602))
        guard let delivery = try await Consumer(queue).reserve(Count.self) else {
            Issue.record("nothing was handed out")
            return
        }
        try await delivery.ack()
        let waits = try metrics.expectTimer("godwit_wait_seconds", pair("count"))
        #expect(waits.values == [2_000_000_000])
        #expect(total("godwit_runs_total", pair("count") + [("verdict", "ack")]) == 1)
    }

    @Test func `a wait below zero is none, and a step of the clock`() async throws {
        let queue = queue()
        try await queue.enqueue(Count(number: 1))
        var reservation = try await test.broker.reserve(ReserveRequest(1), from: queue.name)
        reservation.now = reservation.now + .seconds(-5)
        let book = try #require(withMetricsFactory(metrics) { MeterBook.current })
        book.meters(of: queue.name).reserved(reservation)
        #expect(try metrics.expectTimer("godwit_wait_seconds", pair("count")).values == [0])
        #expect(total("godwit_clock_steps_total", []) == 1)
    }

    @Test func `what comes too late counts as stale`() async throws {
        let queue = queue()
        let id = try await queue.enqueue(Count(number: 1)).id
        guard let delivery = try await Consumer(queue).reserve(Count.self) else {
            Issue.record("nothing was handed out")
            return
        }
        _ = try await test.broker.operator.cancel([id], in: queue.name)
        do {
            try await delivery.ack()
            Issue.record("it was acked")
        } catch is LeaseLost {}
        #expect(total("godwit_stale_settles_total", [("word", "settle")]) == 1)
        #expect(metrics.counters(label: "godwit_runs_total").isEmpty)
    }

    @Test func `what others left behind counts as reclaimed`() async throws {
        let queue = queue()
        try await queue.enqueue(Count(number: 1))
        _ = try await test.broker.reserve(
            ReserveRequest(1, lease: .seconds(1)), from: queue.name)
        test.advance(by: .seconds(2))
        guard let delivery = try await Consumer(queue).reserve(Count.self) else {
            Issue.record("nothing was handed out")
            return
        }
        try await delivery.ack()
        #expect(
            total("godwit_reclaimed_total", [("queue", "counted"), ("cause", "lease")]) == 1)
    }

    @Test func `a trip that failed counts by word and cause`() async throws {
        let queue = queue()
        test.broker.inject(.fail(.unavailable(down)), into: .enqueue)
        await #expect(throws: EnqueueError.self) { try await queue.enqueue(Count(number: 1)) }
        try await queue.enqueue(contentsOf: (0..<5).map(Count.init))
        #expect(
            total(
                "godwit_store_errors_total", [("word", "enqueue"), ("cause", "unavailable")]) == 1)
        let trips = try metrics.expectTimer("godwit_store_seconds", [("word", "enqueue")])
        #expect(trips.values.count == 2)
        let sizes = try metrics.expectRecorder("godwit_batch_size", [("word", "enqueue")])
        #expect(sizes.values == [5])
    }

    @Test func `kinds beyond the first thousand share one number`() async throws {
        let queue = queue()
        for number in 0..<(MeterBook.pairLimit + 5) {
            let kind = try Kind("kind-\(number)")
            try await queue.enqueue(kind: kind, payload: [1], as: .bytes)
        }
        #expect(
            metrics.counters(label: "godwit_enqueued_total").count == MeterBook.pairLimit + 1)
        #expect(total("godwit_enqueued_total", pair("_other")) == 5)
    }
}

/// What a store says that is not there.
let down = BrokerError.Problem(
    what: "enqueue", location: "a test", cause: "it is down", advice: "Wait.")
