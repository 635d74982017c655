// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// Which messages are meant, and how they are found.
struct Search: Sendable {
    struct Page: Sendable {
        var found: [FoundMessage]
        var scan: Scan
    }

    /// The canonical form.
    let text: String
    private let queue: QueueName?
    private let states: [MessageState]
    private let kind: String?
    private let fingerprint: String?

    /// - Throws: `data` for a text that is no query.
    init(
        _ condition: String?, queue: QueueName? = nil, state: MessageState? = nil,
        states: [MessageState]? = nil
    ) throws {
        var queue = queue
        var states = state.map { [$0] } ?? states ?? [.ready, .scheduled, .leased]
        var kind: String?
        var fingerprint: String?
        for term in (condition ?? "").split(separator: " ") {
            let parts = term.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure(.data, "--where: unknown word `\(term)`") }
            switch parts[0] {
            case "queue": queue = try StoreOptions.queue(parts[1])
            case "kind": kind = parts[1]
            case "fingerprint": fingerprint = parts[1]
            case "state":
                guard let one = MessageState(rawValue: parts[1]) else {
                    throw Failure(.data, "--where: unknown state `\(parts[1])`")
                }
                states = [one]
            default: throw Failure(.data, "--where: unknown field `\(parts[0])`; did you mean `state`?")
            }
        }
        self.queue = queue
        self.states = states
        self.kind = kind
        self.fingerprint = fingerprint
        text = condition ?? ""
    }

    func page(on open: OpenStore, after: String?, limit: Int) async throws -> Page {
        let queues = queue.map { [$0] }
        let all = try await open.broker.inspector.queues()
        var found: [FoundMessage] = []
        var scanned = 0
        for queue in queues ?? all {
            for state in states {
                var cursor: PageCursor?
                repeat {
                    let page = try await open.broker.inspector.messages(
                        state, in: queue, after: cursor, limit: 64)
                    scanned += page.messages.count
                    found += page.messages.filter {
                        (kind == nil || $0.kind == kind)
                            && (fingerprint == nil || $0.fingerprint == fingerprint)
                    }.map { FoundMessage(queue: queue, record: $0) }
                    cursor = page.next
                } while cursor != nil && found.count < limit
            }
        }
        return Page(
            found: Array(found.prefix(limit)),
            scan: Scan(scanned: scanned, isComplete: found.count <= limit, next: nil))
    }
}
