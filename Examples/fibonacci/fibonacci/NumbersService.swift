// SPDX-License-Identifier: Apache-2.0
import BigInt
import FibonacciNumbers
import GRPCCore
import Godwit
import Synchronization

/// Computes for whoever calls: `fibonacci.v1.Numbers`.
struct NumbersService: Fibonacci_V1_Numbers.SimpleServiceProtocol {
    struct Options: Sendable {
        /// The largest n; a larger one is INVALID_ARGUMENT, and stays so.
        var largest: UInt32 = 1_000_000
        /// How long each call waits before it computes, drawn anew for each.
        var wait: ClosedRange<Int> = 20...500
        /// The share of calls that are put off: UNAVAILABLE.
        var putOff = 0.05
        /// More calls at once are put off as well.
        var atOnce = 64
        var seed: UInt64 = 1
    }

    private struct State {
        var sums = ServiceSums()
        var running = 0
        var random: Xoshiro
    }

    /// What becomes of a call.
    private enum Plan {
        case compute(wait: Int)
        case tooLarge
        case busy
        case notNow
    }

    private final class Cell: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    let options: Options
    private let cell: Cell

    init(_ options: Options) {
        self.options = options
        cell = Cell(State(random: Xoshiro(seed: options.seed)))
    }

    /// What was counted so far.
    var sums: ServiceSums { cell.state.withLock(\.sums) }

    func compute(
        request: Fibonacci_V1_ComputeRequest, context: ServerContext
    ) async throws -> Fibonacci_V1_ComputeResponse {
        switch plan(request.n) {
        case .tooLarge:
            throw RPCError(
                code: .invalidArgument,
                message: "n is \(request.n); the service computes up to n = \(options.largest)")
        case .busy:
            throw RPCError(
                code: .unavailable,
                message: "\(options.atOnce) calls are being computed; ask again later")
        case .notNow:
            throw RPCError(code: .unavailable, message: "not now; ask again later")
        case .compute(let wait):
            defer { cell.state.withLock { $0.running -= 1 } }
            do {
                return try await answer(request.n, wait, context)
            } catch {
                cell.state.withLock { $0.sums.abandoned += 1 }
                throw RPCError(code: .cancelled, message: "nobody waits for the answer any longer")
            }
        }
    }

    /// Decides by chance and counts, in one step.
    private func plan(_ n: UInt32) -> Plan {
        cell.state.withLock { state in
            state.sums.calls += 1
            guard n <= options.largest else {
                state.sums.refused += 1
                return .tooLarge
            }
            let isPutOff = Double.random(in: 0..<1, using: &state.random) < options.putOff
            let isBusy = state.running >= options.atOnce
            guard !isPutOff, !isBusy else {
                state.sums.putOff += 1
                return isBusy ? .busy : .notNow
            }
            state.running += 1
            return .compute(wait: Int.random(in: options.wait, using: &state.random))
        }
    }

    /// Waits without holding a thread, then computes; both end early when nobody waits any longer.
    private func answer(
        _ n: UInt32, _ wait: Int, _ context: ServerContext
    ) async throws -> Fibonacci_V1_ComputeResponse {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Task.sleep(for: .milliseconds(wait)) }
            group.addTask {
                // A caller that was killed has broken off its connection.
                try await context.cancellation.cancelled
                throw CancellationError()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        let start = ContinuousClock.now
        let number = try Fibonacci.exact(n) {
            if Task.isCancelled || context.cancellation.isCancelled { throw CancellationError() }
        }
        var response = Fibonacci_V1_ComputeResponse()
        response.decimal = Decimal.text(number)
        response.waitedMs = UInt32(wait)
        response.computedUs = UInt64((ContinuousClock.now - start) / .microseconds(1))
        cell.state.withLock { $0.sums.answered += 1 }
        return response
    }
}
