// SPDX-License-Identifier: Apache-2.0
import Tracing

/// Spans of producers and handlers, by OpenTelemetry's semantic conventions for messaging (v1.37).
///
/// A message may run long after it was enqueued, and more than once: the handler's span is a trace
/// of its own, linked to the producer's. The context travels in the message's headers as the current
/// instrument writes it (`traceparent` for W3C trace context); without a tracer nothing is added.
enum Spans {
    /// The current tracer, task-local or bootstrapped; nil when nobody traces.
    static var tracer: (any Tracer)? {
        if InstrumentationSystem.instrument is NoOpInstrument { return nil }
        let tracer = InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : tracer
    }

    /// Begins the span of one enqueue, and puts its context among the headers; one that the caller
    /// named there stays as it is.
    static func publish(
        to queue: QueueName, _ headers: inout [String: String], by tracer: any Tracer
    ) -> any Span {
        let span = tracer.startSpan(
            "publish \(queue)", context: .current ?? .topLevel, ofKind: .producer)
        var context: [String: String] = [:]
        tracer.inject(span.context, into: &context, using: HeaderFields())
        headers.merge(context) { own, _ in own }
        describe(span, queue, "publish", "send")
        return span
    }

    /// Says what an enqueue carries.
    static func describe(_ span: any Span, _ messages: [NewMessage]) {
        guard let first = messages.first else { return }
        span.updateAttributes { attributes in
            attributes["messaging.godwit.kind"] = first.kind.name
            if messages.count > 1 {
                attributes["messaging.batch.message_count"] = messages.count
            } else {
                attributes["messaging.message.id"] = "\(first.id)"
                attributes["messaging.message.envelope.size"] = first.body.count
            }
        }
    }

    static func end(_ span: any Span, failing error: any Error, as type: String) {
        span.recordError(error)
        span.attributes["error.type"] = type
        span.setStatus(SpanStatus(code: .error, message: "\(error)"))
        span.end()
    }

    /// Runs a handler inside a span of its own, linked to the one that enqueued the message.
    static func process(
        _ context: JobContext, by tracer: any Tracer,
        _ handler: () async -> Verdict
    ) async -> Verdict {
        var producer = ServiceContext.topLevel
        tracer.extract(context.headers, into: &producer, using: HeaderFields())
        let queue = context.queue.name
        let span = tracer.startSpan("process \(queue)", context: .topLevel, ofKind: .consumer)
        if !producer.isEmpty { span.addLink(SpanLink(context: producer, attributes: [:])) }
        describe(span, queue, "process", "process")
        span.updateAttributes { attributes in
            attributes["messaging.message.id"] = "\(context.id)"
            attributes["messaging.godwit.attempt"] = context.attempt
            attributes["messaging.message.envelope.size"] = context.leased.body.count
        }
        let verdict = await ServiceContext.$current.withValue(span.context) { await handler() }
        switch verdict {
        case .retry(_, let reason), .reject(let reason):
            span.attributes["error.type"] = verdict.name
            span.setStatus(SpanStatus(code: .error, message: reason))
        case .ack, .release, .forward: break
        }
        span.attributes["messaging.godwit.verdict"] = verdict.name
        span.end()
        return verdict
    }

    private static func describe(
        _ span: any Span, _ queue: QueueName, _ operation: String, _ type: String
    ) {
        span.updateAttributes { attributes in
            attributes["messaging.system"] = "godwit"
            attributes["messaging.destination.name"] = queue.text
            attributes["messaging.operation.name"] = operation
            attributes["messaging.operation.type"] = type
        }
    }
}

extension Verdict {
    fileprivate var name: String {
        switch self {
        case .ack: "ack"
        case .retry: "retry"
        case .reject: "reject"
        case .release: "release"
        case .forward: "forward"
        }
    }
}

/// Writes a context into a message's headers and reads it back.
struct HeaderFields: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into headers: inout [String: String]) {
        headers[key] = value
    }

    func extract(key: String, from headers: [String: String]) -> String? { headers[key] }
}
