// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import InMemoryTracing
import Testing
import Tracing

@Suite struct `Spans` {
    let tracer = InMemoryTracer()
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("traced") }

    private func span(_ name: String) throws -> FinishedInMemorySpan {
        try #require(tracer.finishedSpans.first { $0.operationName == name })
    }

    private func text(_ span: FinishedInMemorySpan, _ key: String) -> String? {
        if case .string(let text)? = span.attributes.get(key) { return text }
        return nil
    }

    @Test func `of a handler are linked to the producer's, in a trace of their own`() async throws {
        let (queue, tracer) = (queue, tracer)
        let seen = Log<String?>()
        let id = try await withTracer(tracer) {
            let id = try await queue.enqueue(Count(number: 1)).id
            try await Worker(queue) { jobs in
                jobs.handle(Count.self) { _, _ in
                    seen.add(ServiceContext.current?.inMemorySpanContext?.spanID)
                }
            }.run(until: .drained)
            return id
        }
        let publish = try span("publish traced")
        let process = try span("process traced")
        #expect(publish.kind == .producer)
        #expect(process.kind == .consumer)
        #expect(process.parentSpanID == nil)
        #expect(process.traceID != publish.traceID)
        #expect(process.links.count == 1)
        let link = process.links.first?.context.inMemorySpanContext
        #expect(link?.traceID == publish.traceID)
        #expect(link?.spanID == publish.spanID)
        // The handler's own spans become children of its span.
        #expect(seen.all == [process.spanID])
        for span in [publish, process] {
            #expect(text(span, "messaging.system") == "godwit")
            #expect(text(span, "messaging.destination.name") == "traced")
            #expect(text(span, "messaging.message.id") == "\(id)")
        }
        #expect(text(publish, "messaging.operation.type") == "send")
        #expect(text(process, "messaging.operation.type") == "process")
    }

    @Test func `of a failed run say so`() async throws {
        let (queue, tracer) = (queue, tracer)
        try await withTracer(tracer) {
            try await queue.enqueue(Count(number: 1), .maxAttempts(1))
            try await Worker(queue) { $0.handle(Count.self) { _, _ in throw Refusal() } }
                .run(until: .drained)
        }
        let process = try span("process traced")
        #expect(process.status == SpanStatus(code: .error, message: "no, thank you"))
        #expect(text(process, "messaging.godwit.verdict") == "reject")
    }

    @Test func `of a batch are one for the whole call`() async throws {
        let (queue, tracer) = (queue, tracer)
        _ = try await withTracer(tracer) {
            try await queue.enqueue(contentsOf: (0..<5).map(Count.init))
        }
        #expect(tracer.finishedSpans.count == 1)
        let publish = try span("publish traced")
        #expect(publish.attributes.get("messaging.batch.message_count") == .int64(5))
    }

    @Test func `of an enqueue that failed are ended too`() async throws {
        let (queue, tracer) = (queue, tracer)
        test.broker.inject(.fail(.unavailable(down)), into: .enqueue)
        await #expect(throws: EnqueueError.self) {
            try await withTracer(tracer) { _ = try await queue.enqueue(Count(number: 1)) }
        }
        #expect(try span("publish traced").status?.code == .error)
        #expect(tracer.activeSpans.isEmpty)
    }

    @Test func `leave a message as it is while nobody traces`() async throws {
        let (queue, tracer) = (queue, tracer)
        let plain = try await queue.enqueue(Count(number: 1)).id
        let own = try await queue.enqueue(Count(number: 1), .headers(["tenant": "a"])).id
        let traced = try await withTracer(tracer) {
            try await queue.enqueue(Count(number: 1)).id
        }
        func headers(_ id: MessageID) async throws -> [String: String] {
            try Envelope(try #require(try await test.record(id, in: queue).body)).headers
        }
        #expect(try await headers(plain) == [:])
        #expect(try await headers(own) == ["tenant": "a"])
        #expect(try await headers(traced).keys.contains(InMemoryTracer.spanIDKey))
    }

    @Test func `keep a context that the caller named among the headers`() async throws {
        let (queue, tracer) = (queue, tracer)
        let id = try await withTracer(tracer) {
            try await queue.enqueue(
                Count(number: 1), .headers([InMemoryTracer.traceIDKey: "mine"])
            ).id
        }
        let body = try #require(try await test.record(id, in: queue).body)
        #expect(try Envelope(body).headers[InMemoryTracer.traceIDKey] == "mine")
    }
}
