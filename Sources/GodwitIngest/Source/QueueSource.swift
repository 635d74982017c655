// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging

/// An announcement that waits in a queue of ours: any body that an intake reads.
public struct QueuedAnnouncement: Job, Hashable {
    public static let name = "audio.announcement"

    public var body: String

    public init(body: String) { self.body = body }

    /// Announces one object.
    public init(_ event: ObjectEvent) { self.init(body: event.body) }
}

/// Takes announcements from a queue of ours: a ``QueuedAnnouncement``, or any other kind whose payload
/// is a text in UTF-8. A payload that is none goes to the dead letters with its bytes.
///
/// Leases, retries and dead letters are the queue's own. `later` counts as an attempt, as a receive of
/// SQS does: the last one ends in the dead letters.
public struct QueueSource: MessageSource {
    public let queue: Queue
    private let options: WorkerOptions

    public init(_ queue: Queue, options: WorkerOptions = WorkerOptions()) {
        self.queue = queue
        self.options = options
    }

    public var name: String { "queue://\(queue.name)" }

    public func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        let queue = queue
        let worker = Worker(queue, concurrency: concurrency, options: options) { jobs in
            jobs.handle(QueuedAnnouncement.self) { announcement, context in
                try await Self.settle(announcement.body, context, queue, handle)
            }
            jobs.handleAll { message, context in
                guard let body = String(validating: message.payload, as: UTF8.self) else {
                    throw Verdict.reject("its payload is no text in UTF-8")
                }
                try await Self.settle(body, context, queue, handle)
            }
        }
        // Cancelled, a worker cancels its handlers at once; here what is handled ends first, within the grace.
        try await runUntilStopped(by: { _ in worker.stop() }) { try await worker.run() }
    }

    private static func settle(
        _ body: String, _ context: JobContext, _ queue: Queue,
        _ handle: @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        let message = SourceMessage(
            id: "\(context.id)", body: body, receiveCount: context.count)
        switch await handle(message) {
        case .done: return
        case .later(let after, let reason): throw Verdict.retry(after: after, reason: reason)
        case .dead(let reason): throw Verdict.reject(reason)
        case .replace(let rest, let after, _):
            // Why this id: after a crash between the two the same rest is recognised (I12).
            let id = MessageID(hashOf: ["rest", "\(context.id)", rest])
            try await queue.enqueue(QueuedAnnouncement(body: rest), named: id, .delayed(by: after))
        }
    }
}
