// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Everything a test of jobs needs: a clock that stands still, a broker in memory that can be told
/// to fail, and `drain`, which runs what is ready and returns.
///
///     let test = QueueTest()
///     let mail = test.queue("mail")
///     try await mail.enqueue(SendWelcome(userID: 42), .delayed(by: .seconds(60)))
///     test.advance(by: .seconds(60))
///     let report = try await test.drain(mail) { $0.handle(SendWelcome.self) { … } }
public struct QueueTest: Sendable {
    public let clock: VirtualClock
    public let broker: FaultyBroker

    public init(clock: VirtualClock = VirtualClock()) {
        self.init(clock: clock, over: MemoryBroker(time: clock))
    }

    /// Tests on another broker; make it with the same clock.
    public init(clock: VirtualClock, over broker: any Broker) {
        self.clock = clock
        self.broker = FaultyBroker(broker)
    }

    public func queue(_ name: QueueName, codec: any Codec = MessagePackCodec()) -> Queue {
        Queue(name, on: broker, codec: codec)
    }

    /// Moves the clock, and the broker's time with it.
    public func advance(by duration: Duration) { clock.advance(by: duration) }

    /// Runs what is ready, one message after the other, until nothing is.
    ///
    /// A retry that is due later stays for the next drain, after ``advance(by:)``; with
    /// `untilEmpty` the clock moves on by itself until nothing is scheduled either. At most `limit`
    /// runs, so that a job that enqueues itself does not run for ever.
    @discardableResult
    public func drain(
        _ queue: Queue, untilEmpty: Bool = false, limit: Int = 10_000,
        handlers register: (inout Handlers) -> Void
    ) async throws -> DrainReport {
        var handlers = Handlers()
        register(&handlers)
        guard handlers.problems.isEmpty else { throw WorkerError.handlers(handlers.problems) }
        var report = DrainReport()
        while report.runs.count < limit {
            let reservation = try await queue.broker.reserve(
                ReserveRequest(
                    1, lease: .seconds(3600), kinds: handlers.kinds, takesSuspects: true),
                from: queue.name)
            guard let leased = reservation.messages.first else {
                guard untilEmpty, let due = reservation.nextDue else { return report }
                clock.advance(by: due - clock.now())
                continue
            }
            let verdict = await handlers.verdict(
                on: leased, JobContext(queue: queue, leased: leased), maxRun: .seconds(3600),
                isTimedOut: { false }, random: { UInt64(report.runs.count) })
            let outcomes = try await queue.broker.settle(
                [Settlement(leased.token, verdict)], in: queue.name)
            report.runs.append(
                DrainReport.Run(
                    id: leased.token.id, verdict: verdict, isSettled: outcomes == [.done]))
        }
        return report
    }
}

/// What a drain ran.
public struct DrainReport: Sendable, Hashable {
    public struct Run: Sendable, Hashable {
        public var id: MessageID
        public var verdict: Verdict
        /// False when its lease was lost meanwhile.
        public var isSettled: Bool
    }

    public var runs: [Run] = []

    public var acked: Int { runs.filter { $0.verdict == .ack }.count }

    public var failed: Int { runs.count - acked }
}
