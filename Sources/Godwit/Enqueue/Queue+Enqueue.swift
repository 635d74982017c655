// SPDX-License-Identifier: Apache-2.0
import Tracing

extension Queue {
    /// Accepts one job; returns when the store has it.
    ///
    /// - Moves: nothing → ready, or → scheduled with ``EnqueueOption/delayed(by:)`` or `.at`.
    /// - Repeated: makes a second message, unless the id or a unique key says that it is the same.
    /// - Crash halfway: the message is there or it is not; a lost answer throws
    ///   ``BrokerError/unknown(_:)`` with the id to repeat with.
    @discardableResult
    public func enqueue<J: Job>(
        _ job: J, _ options: EnqueueOption...
    ) async throws(EnqueueError) -> Enqueued {
        try await publish(EnqueueOptions(J.defaults, options)) { options throws(EnqueueError) in
            [try message(for: job, options)]
        }[0]
    }

    /// Accepts many jobs in as few trips to the store as its limits allow, in their order.
    ///
    /// Options hold for each; an explicit id or unique key makes no sense here and would make all
    /// but the first a duplicate. When the queue runs full on the way, throws
    /// ``EnqueueError/full(queue:rejected:gone:)`` with the positions of those that were not added.
    @discardableResult
    public func enqueue<J: Job>(
        contentsOf jobs: some Sequence<J>, _ options: EnqueueOption...
    ) async throws(EnqueueError) -> [Enqueued] {
        try await publish(EnqueueOptions(J.defaults, options)) { options throws(EnqueueError) in
            var messages: [NewMessage] = []
            messages.reserveCapacity(jobs.underestimatedCount)
            for job in jobs { messages.append(try message(for: job, options)) }
            return messages
        }
    }

    /// Accepts a payload as it stands, under a kind's wire name: for bytes that somebody else made.
    @discardableResult
    public func enqueue(
        kind: Kind, payload: [UInt8], as contentType: ContentType, _ options: EnqueueOption...
    ) async throws(EnqueueError) -> Enqueued {
        try await enqueue(kind: kind, payloads: [payload], as: contentType, options)[0]
    }

    package func enqueue(
        kind: Kind, payloads: [[UInt8]], as contentType: ContentType, _ options: [EnqueueOption]
    ) async throws(EnqueueError) -> [Enqueued] {
        try await publish(EnqueueOptions(JobDefaults(), options)) { options throws(EnqueueError) in
            var messages: [NewMessage] = []
            messages.reserveCapacity(payloads.count)
            for payload in payloads {
                messages.append(try message(of: kind, payload, contentType, options))
            }
            return messages
        }
    }

    func message<J: Job>(
        for job: J, _ options: EnqueueOptions
    ) throws(EnqueueError) -> NewMessage {
        let kind: Kind
        do { kind = try J.kind() } catch { throw .invalidName(error) }
        let payload: [UInt8]
        do {
            payload = try codec.encode(job)
        } catch {
            throw .notEncodable(kind: kind.name, reason: "\(error)")
        }
        return try message(of: kind, payload, codec.contentType, options)
    }

    private func message(
        of kind: Kind, _ payload: [UInt8], _ contentType: ContentType, _ options: EnqueueOptions
    ) throws(EnqueueError) -> NewMessage {
        let body = Envelope.body(
            kind: kind, contentType: contentType, headers: options.headers, payload: payload)
        guard body.count <= broker.limits.messageBytes else {
            throw .tooLarge(
                kind: kind.name, bytes: body.count, limit: broker.limits.messageBytes)
        }
        return NewMessage(
            id: options.id ?? newID(), kind: kind, priority: options.priority,
            maxAttempts: options.maxAttempts, uniqueKey: options.uniqueKey, due: options.due,
            isResend: options.id != nil, body: body)
    }

    /// Makes messages and hands them over, inside a producer's span where somebody traces.
    private func publish(
        _ options: EnqueueOptions,
        _ make: (EnqueueOptions) throws(EnqueueError) -> [NewMessage]
    ) async throws(EnqueueError) -> [Enqueued] {
        guard let tracer = Spans.tracer else { return try await accept(try make(options)) }
        var options = options
        let span = Spans.publish(to: name, &options.headers, by: tracer)
        do throws(EnqueueError) {
            let messages = try make(options)
            Spans.describe(span, messages)
            let accepted = try await accept(messages)
            span.end()
            return accepted
        } catch {
            Spans.end(span, failing: error, as: "enqueue")
            throw error
        }
    }

    func accept(_ messages: [NewMessage]) async throws(EnqueueError) -> [Enqueued] {
        if messages.isEmpty { return [] }
        let outcomes: [EnqueueOutcome]
        do {
            outcomes = try await calls.enqueue(messages)
        } catch {
            throw .broker(error, ids: messages.map(\.id))
        }
        var accepted: [Enqueued] = []
        accepted.reserveCapacity(messages.count)
        var rejected: [NotAdded] = []
        var gone: [NotAdded] = []
        for (position, (message, outcome)) in zip(messages, outcomes).enumerated() {
            switch outcome {
            case .enqueued: accepted.append(Enqueued(id: message.id, isNew: true))
            case .known: accepted.append(Enqueued(id: message.id, isNew: false))
            case .duplicate(let winner): accepted.append(Enqueued(id: winner, isNew: false))
            case .full: rejected.append(NotAdded(id: message.id, position: position))
            case .unknown: gone.append(NotAdded(id: message.id, position: position))
            }
        }
        if !rejected.isEmpty { throw .full(queue: name, rejected: rejected, gone: gone) }
        if !gone.isEmpty { throw .recordGone(queue: name, gone: gone) }
        return accepted
    }
}
