// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitMonitor
import Logging

/// Why the command ends without having done what it was asked to, with its exit code.
struct Failure: Error, CustomStringConvertible {
    /// What the command exits with; the numbers of BSD's sysexits.h where they have one.
    enum Code: Int32, CaseIterable {
        /// Some items failed, or the condition is false.
        case failed = 1
        case usage = 64
        case data = 65
        case noInput = 66
        case unavailable = 69
        case software = 70
        case exists = 73
        case io = 74
        case temporary = 75
        case forbidden = 77
        case configuration = 78
        case interrupted = 130

        var meaning: String {
            switch self {
            case .failed: "some items failed, or the condition is false"
            case .usage: "usage"
            case .data: "bad payload or query"
            case .noInput: "no such queue, message or file"
            case .unavailable: "the store can't be reached, or the outcome is unknown"
            case .software: "a defect of godwit"
            case .exists: "exists already"
            case .io: "input or output failed"
            case .temporary: "try later: paused, full, taken"
            case .forbidden: "forbidden"
            case .configuration: "wrong configuration"
            case .interrupted: "interrupted"
            }
        }
    }

    let code: Code
    /// What, where, the likely cause, the next step.
    let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// Sorts any error by what the caller can do about it.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as BrokerError: self.init(Self.code(of: error), "\(error)")
        case let error as EnqueueError: self.init(Self.code(of: error), "\(error)")
        case let error as HistoryError: self.init(Self.code(of: error), "\(error)")
        case let error as InvalidName: self.init(.usage, "\(error)")
        case is CancellationError:
            self.init(
                .interrupted,
                "interrupted before it was done. What was begun may have happened: look before you repeat it."
            )
        default: self.init(.software, "\(error)")
        }
    }

    private static func code(of error: BrokerError) -> Code {
        // Why the text: the seam knows no word for it, and Redis says it in no other way.
        if error.problem.cause.contains("NOPERM") { return .forbidden }
        return switch error {
        case .unavailable, .unknown: .unavailable
        case .storageFull: .temporary
        case .misconfigured: .configuration
        case .invalid, .corrupt: .data
        }
    }

    private static func code(of error: HistoryError) -> Code {
        switch error {
        case .unavailable: .unavailable
        case .invalid, .corrupt: .data
        }
    }

    private static func code(of error: EnqueueError) -> Code {
        switch error {
        case .invalidName: .usage
        case .notEncodable, .tooLarge: .data
        case .full: .temporary
        case .recordGone: .noInput
        case .broker(let error, _): code(of: error)
        }
    }

    /// All codes, for the help.
    static let codes =
        (["    0 done"]
        + Code.allCases.map { code in
            String(repeating: " ", count: 5 - "\(code.rawValue)".count)
                + "\(code.rawValue) \(code.meaning)"
        }).joined(separator: "\n")

    /// Says what went wrong on stderr and ends the process; help goes to stdout and ends with 0.
    static func exit(with error: any Error) -> Never {
        if let code = error as? ExitCode { Foundation.exit(code.rawValue) }
        let parserCode = Main.exitCode(for: error)
        let isParsers =
            error is CleanExit || error is ValidationError || parserCode == .success
            || parserCode == .validationFailure
        if isParsers {
            let message = Main.fullMessage(for: error)
            guard parserCode == .success else {
                Talk.complain(message.shownLines)
                Foundation.exit(Code.usage.rawValue)
            }
            // What completion and --version print is for programs.
            print(message.contains("USAGE:") ? message + "\n\n" + Grammar.footer : message)
            Foundation.exit(0)
        }
        let failure = Failure(error)
        Talk.complain("godwit: \(failure.description.shown)")
        Foundation.exit(failure.code.rawValue)
    }
}
