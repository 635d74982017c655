// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitMonitor

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Which messages are named on the command line: ids, and before them a queue if somebody likes.
struct Targets: Sendable {
    var queue: QueueName?
    var ids: [MessageID]

    /// `[QUEUE] ID…`
    init(_ words: [String]) throws {
        var words = words[...]
        if let first = words.first, MessageID(first) == nil,
            words.count > 1 || first.utf8.count != 36
        {
            // Why: one word that is neither is more likely a mistyped id where ids are wanted.
            queue = try StoreOptions.queue(first)
            words = words.dropFirst()
        }
        ids = try words.map { try StoreOptions.id($0) }
    }
}

extension OpenStore {
    /// Refuses a queue that was never used: a typing error would look like an empty one.
    func requireQueue(_ name: QueueName) async throws {
        let queues = try await broker.inspector.queues()
        if queues.contains(name) { return }
        let known = queues.prefix(10).map(\.text).joined(separator: ", ")
        let guess = name.text.nearest(of: queues.map(\.text)).map { " Did you mean '\($0)'?" } ?? ""
        throw Failure(
            .noInput,
            """
            there is no queue '\(name)' on \(self.name).\(guess) \
            \(queues.isEmpty ? "It holds none yet" : "It holds \(known)\(queues.count > 10 ? ", …" : "")"): \
            check the name and the store; the first enqueue makes a queue.
            """)
    }

    /// One message by its id, in the queue that was named or wherever it is.
    func find(_ id: MessageID, in queue: QueueName?) async throws -> FoundMessage? {
        guard let queue else { return try await broker.inspector.find(id) }
        return try await broker.inspector.message(id, in: queue)
            .map { FoundMessage(queue: queue, record: $0) }
    }

    func requireMessage(_ id: MessageID, in queue: QueueName?) async throws -> FoundMessage {
        if let found = try await find(id, in: queue) { return found }
        if let queue { try await requireQueue(queue) }
        throw Failure(
            .noInput,
            """
            \(queue.map { "queue '\($0)' on " } ?? "")\(name) knows no message \(id). \
            It was never there, or it ended and its record is past its keeping time; check the id\
            \(queue == nil ? "" : " and the queue"), or ask the history: `godwit history runs --id \(id)`.
            """)
    }
}

extension OpenStore {
    /// Notes what a person did in the history, where there is one; a history that is down stops nobody.
    func audit(
        _ verb: String, _ queue: String, _ what: String = "", affected: Int
    ) async {
        do {
            guard let store = try await history.storeForWriting() else { return }
            let environment = ProcessInfo.processInfo.environment
            let user =
                environment["SUDO_USER"] ?? environment["USER"] ?? environment["LOGNAME"]
                ?? "uid \(getuid())"
            try await store.audit(
                AuditEntry(
                    at: broker.time.now() + broker.clockOffset,
                    who: "\(user)@\(ProcessInfo.processInfo.hostName)", verb: verb, queue: queue,
                    what: String(what.prefix(1024)), affected: affected))
        } catch {
            Talk.complain("godwit: done, but not noted in the audit: \("\(error)".shown)")
        }
    }
}
