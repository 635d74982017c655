// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// One message on its way to a service, with what the service may know of it.
package struct PushCall: Sendable {
    package var queue: QueueName
    package var message: Message
    package var entry: Entry
    package var checkpoint: [UInt8]?
    /// How long the service has for its whole answer.
    package var time: Duration

    package init(_ message: Message, _ context: JobContext, time: Duration) {
        queue = context.queue.name
        self.message = message
        entry = context.leased.token.entry
        checkpoint = context.checkpoint
        self.time = time
    }
}

/// Brings calls to one service and judges its answers.
protocol Caller: Sendable {
    /// Holds the connections until ``stop()``.
    func run() async throws
    /// Ends ``run()`` once what is under way has ended.
    func stop()
    /// Makes one call; nil when the task was cancelled before there was an answer.
    func send(_ call: PushCall) async -> PushVerdict?
}
