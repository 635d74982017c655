// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Foundation
import GRPCCore
import Godwit

/// The handler of ``ComputeNumber``: asks the service and keeps its answer.
///
/// The status of the call decides about the message: INVALID_ARGUMENT rejects it, since the same n will be refused again;
/// every other failure (UNAVAILABLE and DEADLINE_EXCEEDED above all) is tried again by the job's policy.
struct Computer<Numbers: Fibonacci_V1_Numbers.ClientProtocol>: Sendable {
    let numbers: Numbers
    let results: Results
    /// How long a call may take. Less than a lease: what takes longer is no answer but a hung service.
    let patience: Duration

    /// - Repeated: a number that has its answer is not computed again; two answers at once are kept once.
    /// - Crash halfway: before the answer is kept, the next run asks again; behind it, the next run finds it.
    /// - Throws: ``Godwit/Verdict/reject(_:)`` for what no other try mends; else the failure, and a retry follows.
    func compute(_ job: ComputeNumber, _ context: JobContext) async throws {
        guard try results.answer(to: job.n) == nil else { return }
        var request = Fibonacci_V1_ComputeRequest()
        request.n = job.n
        var options = CallOptions.defaults
        options.timeout = patience
        // Why not: without a connection the message had better wait in the queue than here under its lease.
        options.waitForReady = false
        let response: Fibonacci_V1_ComputeResponse
        do {
            response = try await numbers.compute(request, options: options)
        } catch let error as RPCError {
            try Task.checkCancellation()
            let reason =
                "\(Self.name(of: error.code)): \(error.message.cut(to: 200).escapedForDisplay)"
            if error.code == .invalidArgument { throw Verdict.reject(reason) }
            throw Failed(reason: reason)
        }
        guard Self.isNumber(response.decimal, of: job.n) else {
            throw Verdict.reject(
                "the service answered \(job.n) with \(response.decimal.utf8.count) bytes that are no such number"
            )
        }
        // Somebody else has the message now; what is kept is kept by the first.
        guard !context.isLeaseLost else { throw CancellationError() }
        _ = try results.keep(
            Answer(
                n: job.n, decimal: response.decimal, message: context.id.description,
                run: context.count, process: getpid(),
                waitedMilliseconds: Int(response.waitedMs),
                computedMicroseconds: Int(clamping: response.computedUs)))
    }

    /// A status as gRPC's documents write it: INVALID_ARGUMENT.
    private static func name(of code: RPCError.Code) -> String {
        "\(code)".reduce(into: "") { name, character in
            if character.isUppercase { name += "_" }
            name += character.uppercased()
        }
    }

    /// Whether a text can be F(n): digits, no more of them than F(n) has, and no leading zero.
    static func isNumber(_ text: String, of n: UInt32) -> Bool {
        let digits = text.utf8
        return !digits.isEmpty && digits.count <= Fibonacci.mostDigits(n)
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && (digits.first != UInt8(ascii: "0") || digits.count == 1)
    }
}

/// A call that failed and may go well another time.
struct Failed: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}
