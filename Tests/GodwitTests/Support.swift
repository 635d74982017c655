// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization
import Testing

struct Greet: Job, Equatable {
    let name: String
}

struct Count: Job, Equatable {
    static let name = "count"
    static let defaults = JobDefaults(retry: .exponential(maxAttempts: 3), timeout: .seconds(10))
    let number: Int
}

/// Collects what handlers saw.
final class Log<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func add(_ element: Element) { elements.withLock { $0.append(element) } }
}

struct Refusal: Error, CustomStringConvertible {
    var description: String { "no, thank you" }
}

/// Gives way to other tasks until the condition holds; a hang ends as a failure, not as a wait.
func until(
    _ condition: @Sendable () async throws -> Bool, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let limit = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        guard ContinuousClock.now < limit else {
            Issue.record(comment ?? "it never came true", sourceLocation: sourceLocation)
            throw CancellationError()
        }
        await Task.yield()
    }
}

extension QueueTest {
    func record(_ id: MessageID, in queue: Queue) async throws -> MessageRecord {
        try #require(try await broker.inspector.message(id, in: queue.name))
    }
}
