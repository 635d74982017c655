// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
public import ServiceLifecycle

/// Brings each message of a worker to a service and settles it by the answer.
///
///     let push = try Push(to: .http("https://mail.example/work", secrets: [secret]))
///     let worker = Worker(queue) { jobs in jobs.handleAll { try await push($0, $1) } }
///     // Both run in one ServiceGroup, `push` before `worker`.
///
/// How statuses settle stands at the two tables of ``PushVerdict``. Connections are kept and reused;
/// no more calls are under way than the worker has slots. A service that fails is left alone
/// (``Breaker``): messages wait in hand, leased, with no attempt used, and on a shutdown they go back.
/// A message may reach the service twice (I5): make that harmless by its id.
public final class Push: Service {
    public let target: PushTarget
    private let options: PushOptions
    private let caller: any Caller
    private let gate: Gate

    /// Makes it ready; nothing is dialled before the first message. Throws ``PushRefusal``, or what the
    /// TLS library says of its files.
    public convenience init(
        to target: PushTarget, options: PushOptions = PushOptions(),
        time: any TimeSource = SystemTime()
    ) throws {
        let caller: any Caller =
            switch target.kind {
            case .http(let url, let secrets): HTTPCaller(url, secrets, options)
            case .grpc(let host, let port, let security):
                try GRPCCaller(host, port, security)
            }
        self.init(to: target, by: caller, options: options, time: time)
    }

    init(
        to target: PushTarget, by caller: any Caller, options: PushOptions, time: any TimeSource
    ) {
        self.target = target
        self.options = options
        self.caller = caller
        gate = Gate(
            "\(target)",
            Breaker(
                threshold: options.failuresToOpen, base: options.firstPause,
                cap: options.longestPause), time: time)
    }

    /// How many runs wait for the service to come back.
    package var waiting: Int { gate.waiters }

    /// Holds the connections until a graceful shutdown or until its task is cancelled.
    public func run() async throws {
        Logger.current.debug("pushing to \(target)")
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await caller.run()
            } onGracefulShutdown: { [caller] in
                caller.stop()
            }
        } onCancel: {
            caller.stop()
        }
    }

    /// Works one message: the body of a worker's handler.
    ///
    /// Returns for an ack and throws everything else: a ``Verdict``, or ``PushFailed`` for a retry by
    /// the worker's policy.
    public func callAsFunction(_ message: Message, _ context: JobContext) async throws {
        let call = PushCall(message, context, time: options.callTime)
        while true {
            // Why released: it was not sent, so no attempt is used.
            guard let permit = await gate.enter() else { throw Verdict.release }
            guard let verdict = await caller.send(call) else {
                gate.leave(permit, .abandoned, "")
                throw CancellationError()
            }
            let finding: Breaker.Finding =
                verdict.finding == .answering ? .answering : .failing(pause: verdict.pause)
            gate.leave(permit, finding, verdict.reason)
            switch verdict.move {
            case .ack: return
            case .release: throw Verdict.release
            case .reject(let reason): throw Verdict.reject(reason)
            case .forward(let queue): throw Verdict.forward(to: queue)
            case .retry(let after, let reason):
                guard let delay = after ?? options.retryAfter else {
                    throw PushFailed(reason: reason)
                }
                throw Verdict.retry(after: delay, reason: reason)
            case .hold: continue
            }
        }
    }
}

/// A service did not do it; the message is tried again by the worker's policy.
public struct PushFailed: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String

    public var description: String { reason }
}
