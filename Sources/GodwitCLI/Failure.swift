// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Logging

/// Why the command ends without having done what it was asked to, with its exit code.
struct Failure: Error, CustomStringConvertible {
    /// The codes of BSD's sysexits.h that the command uses.
    enum Code: Int32 {
        case usage = 64
        case data = 65
        case noInput = 66
        case unavailable = 69
        case software = 70
        case cannotCreate = 73
        case io = 74
        case temporary = 75
        case configuration = 78
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
        case let error as InvalidName: self.init(.usage, "\(error)")
        default: self.init(.software, "\(error)")
        }
    }

    private static func code(of error: BrokerError) -> Code {
        switch error {
        case .unavailable: .unavailable
        case .unknown: .temporary
        case .storageFull: .cannotCreate
        case .misconfigured: .configuration
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

    /// Says what went wrong on stderr and ends the process; help goes to stdout and ends with 0.
    static func exit(with error: any Error) -> Never {
        if error is ExitCode || error is CleanExit || error is ValidationError
            || Main.exitCode(for: error) == .success
            || Main.exitCode(for: error) == .validationFailure
        {
            Main.exit(withError: error)
        }
        let failure = Failure(error)
        Talk.say("godwit: \(failure.description.escapedForDisplay)")
        Foundation.exit(failure.code.rawValue)
    }
}

/// What the command says beside its data; goes to stderr.
enum Talk {
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
