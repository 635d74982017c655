// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import GodwitTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A checkup` {
    /// Runs a checkup and moves the clock past its pause.
    private func checkup(
        _ broker: any Broker, _ clock: VirtualClock, between: @Sendable () async throws -> Void = {}
    ) async throws -> Checkup.Report {
        async let report = Checkup(broker).run()
        while clock.pendingTimers == 0 { await Task.yield() }
        try await between()
        clock.advance(by: .seconds(60))
        return try await report
    }

    private func message(_ clock: VirtualClock) -> NewMessage {
        NewMessage(id: MessageID(at: clock.now()), kind: "mail", body: [1])
    }

    @Test func `what is stuck at both looks is a problem, with what to do`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        _ = try await broker.enqueue([message(clock)], to: "mail")
        _ = try await broker.reserve(ReserveRequest(1), from: "mail")
        clock.advance(by: .seconds(40))
        let report = try await checkup(broker, clock)
        #expect(report.stuck.map(\.kind) == [.leaseNotReclaimed])
        #expect(!report.isClean)
        #expect(
            report.findings.contains {
                $0.finding == "leaseNotReclaimed" && $0.sentence.contains("godwit worker list")
            })
    }

    @Test func `what has moved on by the second look is none`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        _ = try await broker.enqueue([message(clock)], to: "mail")
        _ = try await broker.reserve(ReserveRequest(1), from: "mail")
        clock.advance(by: .seconds(40))
        let report = try await checkup(broker, clock) {
            _ = try await broker.reclaim(10, in: "mail")
        }
        #expect(report.stuck == [])
        #expect(report.isClean)
    }

    @Test func `a sound store needs no second look and says that rates are unknown`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        _ = try await broker.enqueue([message(clock)], to: "mail")
        let report = try await Checkup(broker).run()
        #expect(report.isClean)
        #expect(report.advice.map(\.kind) == [.ratesUnknown])
    }

    @Test func `nothing that waits for a worker makes a store without workers no problem`()
        async throws
    {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        var later = message(clock)
        later.due = .after(.seconds(86_400))
        _ = try await broker.enqueue([later], to: "mail")
        clock.advance(by: .seconds(3600))
        #expect(try await broker.board.notes(in: .workers) == [])
        let report = try await Checkup(broker).run()
        #expect(report.isClean, "\(report.findings)")
    }

    @Test func `events that nobody archives are told whatever other duties are held`() async throws
    {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        let history = TestHistory(
            waitSeconds: 0, runSeconds: 0, runsPerSecond: 0, growthPerSecond: 0, slots: 0, busy: 0)
        for queue: QueueName in ["mail", "sms"] {
            _ = try await broker.enqueue([message(clock)], to: queue)
            let taken = try await broker.reserve(ReserveRequest(1), from: queue).messages
            _ = try await broker.settle(taken.map { Settlement($0.token, .ack) }, in: queue)
        }
        for duty in ["alerts", "prune", "archive/sms"] {
            try await broker.board.write([1], as: duty, in: .duties, for: nil, if: .any)
        }
        clock.advance(by: .seconds(600))
        let findings = try await Checkup(broker, history: history).run().findings
        #expect(findings.filter { $0.subject == "archiver" }.map(\.finding) == ["nobody for mail"])
        #expect(
            findings.contains { $0.subject == "events of mail" && $0.sentence.contains("10 min") })
        // Without a history nobody is missed.
        let plain = try await Checkup(broker).run().findings
        #expect(!plain.contains { $0.subject == "archiver" || $0.subject == "events of mail" })
        try await broker.board.write([1], as: "archive/mail", in: .duties, for: nil, if: .any)
        let held = try await Checkup(broker, history: history).run().findings
        #expect(held.first { $0.subject == "archiver" }?.grade == .good)
    }

    @Test func `a fault counts when it is seen twice, and is mended only when asked`() async throws
    {
        let clock = VirtualClock()
        let broker = FaultyBooks(MemoryBroker(time: clock))
        _ = try await broker.enqueue([message(clock)], to: "mail")
        let lasting = Fault(.counter, in: "mail", place: "ready", "It says 5, 4 are there.")
        let passing = Fault(.secondIndex, in: "mail", place: "other", "Twice.")
        broker.plant([lasting, passing])
        let report = try await checkup(broker, clock) { broker.plant([lasting]) }
        #expect(report.faults == [lasting])
        #expect(!report.isClean)
        let checkup = Checkup(broker)
        #expect(try await checkup.repair(report.faults).map(\.outcome) == [.mended("would")])
        #expect(broker.planted == [lasting])
        #expect(
            try await checkup.repair(report.faults, isDryRun: false).map(\.outcome)
                == [.mended("did")])
        #expect(broker.planted == [])
        #expect(try await Checkup(broker).run().isClean)
    }
}
