// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Ends a command in time, and at Ctrl-C.
struct Deadline: Sendable {
    /// How long the whole may take; nil: for ever.
    let time: Duration?
    let handlesSignals: Bool
    /// For the sentence.
    let place: String

    private enum Ended<R: Sendable>: Sendable {
        case done(R)
        case interrupted
        case late
    }

    /// Runs `body`; cancels it when time is over or the user interrupts, and says which.
    func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        guard handlesSignals || time != nil else { return try await body() }
        let signals = handlesSignals ? await UnixSignalsSequence(trapping: .sigint) : nil
        return try await withThrowingTaskGroup(of: Ended<R>.self) { tasks in
            tasks.addTask { .done(try await body()) }
            if let signals {
                tasks.addTask {
                    for await _ in signals { return .interrupted }
                    throw CancellationError()
                }
            }
            if let time {
                tasks.addTask {
                    try await Task.sleep(for: time)
                    return .late
                }
            }
            let first = try await tasks.next()
            tasks.cancelAll()
            switch first {
            case .done(let result)?: return result
            case .late?:
                leave(with: late)
                try? await tasks.waitForAll()
                throw late
            case .interrupted?, nil:
                // The second Ctrl-C is the system's own: it ends the process at once.
                signal(SIGINT, SIG_DFL)
                Talk.say("interrupted: ending what is begun; again to end at once")
                leave(with: Failure(CancellationError()), after: 10)
                try? await tasks.waitForAll()
                throw Failure(CancellationError())
            }
        }
    }

    private var late: Failure {
        Failure(
            .unavailable,
            """
            \(place) did not answer all within the \(time?.brief ?? "time") of --timeout. What was \
            begun may have happened: look before you repeat it, or give it more time.
            """)
    }

    /// Why a thread: a store that hangs must not hold up the end of the process.
    private func leave(with failure: Failure, after seconds: Double = 1) {
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: seconds)
            Talk.complain("godwit: \(failure.description.shown)")
            _exit(failure.code.rawValue)
        }
    }
}
