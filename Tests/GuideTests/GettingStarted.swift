// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Logging
import ServiceLifecycle
import Testing
import UnixSignals

struct SendWelcome: Job {
    static let name = "mail.welcome"  // the wire name: set it before you rename the type
    static let defaults = JobDefaults(retry: .exponential(maxAttempts: 8), timeout: .seconds(30))
    let userID: Int
}

/// Remembers whom it welcomed, once by message.
private actor Mailer {
    private(set) var welcomed: [MessageID: Int] = [:]

    func welcome(_ userID: Int, once id: MessageID) async throws { welcomed[id] = userID }
}

@Suite struct `Getting started` {
    @Test func `what is enqueued is worked, what is delayed waits`() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-guide-\(UUID().uuidString).db").path
        defer {
            for suffix in ["", "-wal", "-shm", "-lock"] {
                try? FileManager.default.removeItem(atPath: path + suffix)
            }
        }
        let mail = Queue("mail", on: try await SQLiteBroker(path: path))
        try await mail.enqueue(SendWelcome(userID: 42))
        try await mail.enqueue(SendWelcome(userID: 43), .delayed(by: .seconds(3600)))
        try await mail.enqueue(SendWelcome(userID: 44), .unique(by: "welcome-44"))
        // Many in one trip to the store.
        try await mail.enqueue(contentsOf: (45..<145).map(SendWelcome.init))
        #expect(try await mail.broker.inspector.counts(of: "mail").ready == 102)

        let late = try await mail.broker.inspector.messages(
            .scheduled, in: "mail", after: nil, limit: 9)
        _ = try await mail.broker.operator.promote(late.messages.map(\.id), in: "mail")
        let mailer = Mailer()
        let worker = Worker(mail, concurrency: 16) { jobs in
            jobs.handle(SendWelcome.self) { job, context in
                try await mailer.welcome(job.userID, once: context.id)
            }
        }
        try await worker.run(until: .drained)
        #expect(await mailer.welcomed.values.sorted() == Array(42..<145))
        await mail.broker.shutdown()
    }

    /// Compiled and not run: it would take the signals of the tests' process.
    private func serve(_ worker: Worker) async throws {
        let group = ServiceGroup(
            services: [worker], gracefulShutdownSignals: [.sigterm], logger: .current)
        try await group.run()
    }
}
