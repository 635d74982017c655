// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import GodwitPush
import GodwitTesting
import Logging

/// A queue whose messages are pushed to a service.
struct Scene: Sendable {
    static let secret = WebhookSecret("a secret of the test")

    let test = QueueTest()
    let push: Push

    init(_ target: PushTarget, _ configure: (inout PushOptions) -> Void = { _ in }) throws {
        var options = PushOptions()
        configure(&options)
        push = try Push(to: target, options: options, time: test.clock)
    }

    var queue: Queue { test.queue("work") }

    @discardableResult
    func enqueue(_ payload: String = "p", _ options: EnqueueOption...) async throws -> MessageID {
        try await queue.enqueue(
            kind: "job", payloads: [Array(payload.utf8)], as: .json, options)[0].id
    }

    /// Runs what is ready, at most `limit` runs.
    func drain(limit: Int = 1000) async throws -> [Verdict] {
        try await test.drain(queue, limit: limit) { jobs in
            jobs.handleAll(retry: .constant(.seconds(7))) { try await push($0, $1) }
        }.runs.map(\.verdict)
    }

    /// Lends this with its connections held, and ends them.
    func running<R: Sendable>(_ body: @Sendable (Scene) async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await push.run() }
            do {
                let result = try await body(self)
                group.cancelAll()
                return result
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    static func http(
        _ service: HTTPService, _ configure: (inout PushOptions) -> Void = { _ in }
    ) throws -> Scene {
        try Scene(try .http(service.url, secrets: [secret]), configure)
    }
}

extension Logger {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Looks again until it holds. Why polling: a service in another task sends no signal.
///
/// What is looked at must be new each time: a loop around this that finds it as it was before never
/// yields, and two of them hold every thread of a small machine.
func until(_ holds: () throws -> Bool) async rethrows {
    while try !holds(), !Task.isCancelled { await Task.yield() }
}
