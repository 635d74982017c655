// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

private struct Down: Error {}

@Suite struct `Testing with virtual time` {
    @Test func `an hour passes at once`() async throws {
        let test = QueueTest()
        let mail = test.queue("mail")
        try await mail.enqueue(SendWelcome(userID: 42), .delayed(by: .seconds(3600)))

        let early = try await test.drain(mail) { $0.handle(SendWelcome.self) { _, _ in } }
        #expect(early.runs.isEmpty)

        test.advance(by: .seconds(3600))
        let report = try await test.drain(mail) { $0.handle(SendWelcome.self) { _, _ in } }
        #expect(report.acked == 1)
    }

    @Test func `attempts are used up`() async throws {
        let test = QueueTest()
        let mail = test.queue("mail")
        try await mail.enqueue(SendWelcome(userID: 42), .maxAttempts(3))
        let report = try await test.drain(mail, untilEmpty: true) {
            $0.handle(SendWelcome.self) { _, _ in throw Down() }
        }
        #expect(report.runs.count == 3)
        #expect(try await test.broker.inspector.counts(of: "mail").dead == 1)
    }

    @Test func `a lost answer makes no second message`() async throws {
        let test = QueueTest()
        let mail = test.queue("mail")
        test.broker.inject(.loseReply, into: .enqueue)
        let id = mail.newID()
        await #expect(throws: EnqueueError.self) {
            try await mail.enqueue(SendWelcome(userID: 42), .id(id))
        }
        let again = try await mail.enqueue(SendWelcome(userID: 42), .id(id))
        #expect(!again.isNew)
        #expect(try await test.broker.inspector.counts(of: "mail").ready == 1)
    }
}
