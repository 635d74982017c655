// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

private struct Charge: Job {
    let account: Int
    let cents: Int
}

/// Account 1 is in order, 2 is closed, every other one is busy.
private struct Bank {
    enum Answer { case done, closed, busy(Duration) }

    func charge(_ account: Int, _ cents: Int, once id: MessageID?) async throws -> Answer {
        switch account {
        case 1: .done
        case 2: .closed
        default: .busy(.seconds(60))
        }
    }
}

private struct Down: Error {}

@Suite struct `Retries and dead letters` {
    private let bank = Bank()
    private let test = QueueTest()

    @Test func `a handler's word decides, and a dead letter comes back`() async throws {
        let payments = test.queue("payments")
        try await payments.enqueue(contentsOf: (1...3).map { Charge(account: $0, cents: 100) })
        let report = try await test.drain(payments) { [bank] jobs in
            jobs.handle(Charge.self) { job, context in
                switch try await bank.charge(job.account, job.cents, once: context.id) {
                case .done: return
                case .closed: throw Verdict.reject("account \(job.account) is closed")
                case .busy(let wait): throw Verdict.retry(after: wait, reason: "the bank is busy")
                }
            }
        }
        #expect(
            report.runs.map(\.verdict) == [
                .ack, .reject("account 2 is closed"),
                .retry(after: .seconds(60), reason: "the bank is busy"),
            ])
        let page = try await payments.broker.inspector.messages(
            .dead, in: payments.name, after: nil, limit: 100)
        for letter in page.messages { print(letter.id, letter.reason ?? "no reason") }
        #expect(page.messages.map(\.reason) == ["account 2 is closed"])
        let outcomes = try await payments.broker.operator.redrive(
            page.messages.map(\.id), in: payments.name)
        #expect(outcomes.count == 1)
        #expect(try await payments.broker.inspector.counts(of: payments.name).ready == 1)
    }

    @Test func `a message's own number of attempts holds against the handler's policy`()
        async throws
    {
        let payments = test.queue("payments")
        try await payments.enqueue(Charge(account: 7, cents: 100), .maxAttempts(1))
        let report = try await test.drain(payments, untilEmpty: true) { jobs in
            jobs.handle(Charge.self) { _, _ in throw Down() }
        }
        #expect(report.runs.count == 1)
        #expect(try await payments.broker.inspector.counts(of: payments.name).dead == 1)
    }

    @Test func `a handler may have a policy of its own`() async throws {
        let payments = test.queue("payments")
        try await payments.enqueue(Charge(account: 1, cents: 100))
        let report = try await test.drain(payments) { [bank] jobs in
            jobs.handle(Charge.self, retry: .constant(.seconds(5), maxAttempts: 3)) { job, _ in
                _ = try await bank.charge(job.account, job.cents, once: nil)
            }
        }
        #expect(report.acked == 1)
    }
}
