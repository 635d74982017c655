// SPDX-License-Identifier: Apache-2.0
public import AWSClient
public import Godwit
import Logging

/// How a run takes and holds messages of SQS.
public struct SQSSourceOptions: Sendable {
    /// How long a message is ours before it must be extended, which happens every third of it.
    public var visibility: Duration = .seconds(60)
    /// How long a poll waits for the first message; up to 20 s.
    public var wait: Duration = SQSClient.longestWait
    /// Messages received ahead of free handlers.
    public var prefetch = 10
    /// Polls at the same time.
    public var polls = 1
    /// Deletes wait so long for others to go with.
    public var deleteDelay: Duration = .milliseconds(50)
    /// After a stop, what is handled may take so long; then it is cancelled and given back.
    public var grace: Duration = .seconds(30)
    /// How old a receipt may become; SQS extends none past 12 h.
    public var horizon: Duration = SQSClient.longestVisibility
    /// How long a message that will never work is hidden where there is no dead-letter queue.
    public var deadVisibility: Duration = .seconds(3600)

    public init() {}
}

/// Receives from a queue of SQS, and holds what it received until it is settled.
///
/// Every message that came is hidden from others from the moment of receipt, the buffer included;
/// where that fails its handler is cancelled, since another receiver may have it. Deletes are gathered;
/// a message whose delete fails comes again. A dead one goes to the queue's dead-letter queue with its
/// body and a reason; where the queue has none it is hidden for long and left to whoever mends that.
public struct SQSSource: MessageSource {
    public let name: String
    public let queue: String
    public let options: SQSSourceOptions
    let polling: SQSClient
    let settling: SQSClient
    let time: any TimeSource

    /// `queue` is its URL. The two clients must not share connections: a poll holds its own for as long
    /// as it waits, and deletes and extends must not stand behind it.
    public init(
        queue: String, polling: SQSClient, settling: SQSClient,
        options: SQSSourceOptions = SQSSourceOptions(), time: any TimeSource = SystemTime()
    ) {
        self.queue = queue
        self.polling = polling
        self.settling = settling
        self.options = options
        self.time = time
        name = "sqs://" + (queue.split(separator: "/").last.map(String.init) ?? queue)
    }

    /// Over connections that are kept apart already.
    public init(
        queue: String, over connections: SQSConnections,
        options: SQSSourceOptions = SQSSourceOptions(), time: any TimeSource = SystemTime()
    ) {
        self.init(
            queue: queue, polling: connections.polling, settling: connections.settling,
            options: options, time: time)
    }

    /// Receives until cancelled or shut down gracefully.
    ///
    /// A service that can't be reached is asked again. One that refuses (no such queue, not allowed) five
    /// times in a row ends the run like a stop, and this throws the ``SQSError``.
    public func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        let run = SQSRun(self, concurrency: concurrency, handle)
        try await runUntilStopped(by: { _ in run.stop() }) { await run.serve() }
        if let failure = run.failure { throw failure }
    }
}
