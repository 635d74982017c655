// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos
package import GRPCCore

/// How a ``BrokerError`` travels: its case as a status code and as the trailer `godwit-reason`, its facts
/// as further trailers, percent-encoded as gRPC encodes its own message.
///
/// Why the trailer beside the code: a proxy or a client library makes statuses of its own, and only the
/// trailer proves that a Godwit server said that nothing happened (I12).
package enum FailureTrailer {
    package static let reason = "godwit-reason"
    static let what = "godwit-what"
    static let location = "godwit-location"
    static let cause = "godwit-cause"
    static let advice = "godwit-advice"
    /// The most bytes of one trailer before it is encoded; HTTP/2 peers refuse long heads.
    static let bytes = 1024
}

extension BrokerError {
    package var rpcError: RPCError {
        let problem = problem
        var metadata = Metadata()
        metadata.addString(caseName, forKey: FailureTrailer.reason)
        for (key, text) in [
            (FailureTrailer.what, problem.what), (FailureTrailer.location, problem.location),
            (FailureTrailer.cause, problem.cause), (FailureTrailer.advice, problem.advice),
        ] {
            metadata.addString(PercentText.encode(text.cut(to: FailureTrailer.bytes)), forKey: key)
        }
        return RPCError(
            code: code, message: "\(self)".cut(to: FailureTrailer.bytes), metadata: metadata)
    }

    private var code: RPCError.Code {
        switch self {
        case .unavailable: .unavailable
        case .unknown: .aborted
        case .storageFull: .resourceExhausted
        case .misconfigured: .failedPrecondition
        case .invalid: .invalidArgument
        case .corrupt: .dataLoss
        default: .aborted
        }
    }

    /// What a failed call means to its caller. `isRead`: nothing can have happened, whatever failed.
    package init(_ error: any Error, what: String, location: String, isRead: Bool) {
        func problem(_ cause: String, _ advice: String) -> Problem {
            Problem(
                what: what, location: location, cause: cause.escapedForDisplay, advice: advice)
        }
        let lost = "Send it again with the same ids: the repetition is recognised."
        guard let error = error as? RPCError else {
            let problem = problem("\(error)", "The connection was closed; open a new broker.")
            self = isRead ? .unavailable(problem) : .unknown(problem)
            return
        }
        if let reason = error.metadata[stringValues: FailureTrailer.reason].first(where: { _ in true
        }) {
            func text(_ key: String) -> String? {
                error.metadata[stringValues: key].first { _ in true }
                    .flatMap(PercentText.decode)?.escapedForDisplay
            }
            self = Godwit_V1_Failure.Reason(caseName: reason).brokerError(
                Problem(
                    what: text(FailureTrailer.what) ?? what,
                    location: text(FailureTrailer.location) ?? location,
                    cause: text(FailureTrailer.cause) ?? error.message.escapedForDisplay,
                    advice: text(FailureTrailer.advice) ?? ""))
            return
        }
        switch error.code {
        case .unauthenticated:
            self = .misconfigured(
                problem(error.message, "Give a token that `godwit token add` made."))
        case .permissionDenied, .notFound, .unimplemented:
            self = .misconfigured(
                problem(error.message, "Ask the operator what this token may do, and where."))
        case .invalidArgument, .outOfRange, .failedPrecondition:
            self = .invalid(problem(error.message, "Send what the server takes."))
        case .resourceExhausted where isRead:
            self = .unavailable(
                problem(error.message, "Send less at once, and try again in a moment."))
        case .cancelled where isRead, .unavailable where isRead, .deadlineExceeded where isRead:
            self = .unavailable(
                problem(error.message, "Look whether the server runs and the address is right."))
        default:
            self =
                isRead
                ? .unavailable(problem(error.message, "Try again."))
                : .unknown(
                    problem(error.message, lost))
        }
    }
}

extension Godwit_V1_Failure {
    package init(_ error: BrokerError) {
        self.init()
        reason = Reason(caseName: error.caseName)
        what = error.problem.what
        location = error.problem.location
        cause = error.problem.cause
        advice = error.problem.advice
    }

    package var brokerError: BrokerError {
        reason.brokerError(
            BrokerError.Problem(
                what: what.escapedForDisplay, location: location.escapedForDisplay,
                cause: cause.escapedForDisplay, advice: advice.escapedForDisplay))
    }
}

extension Godwit_V1_Failure.Reason {
    /// By ``BrokerError/caseName``; a word of a newer peer is `unknown`: it may have happened.
    fileprivate init(caseName: String) {
        switch caseName {
        case "unavailable": self = .unavailable
        case "storage-full": self = .storageFull
        case "misconfigured": self = .misconfigured
        case "invalid": self = .invalid
        case "corrupt": self = .corrupt
        default: self = .unknown
        }
    }

    fileprivate func brokerError(_ problem: BrokerError.Problem) -> BrokerError {
        switch self {
        case .unavailable: .unavailable(problem)
        case .storageFull: .storageFull(problem)
        case .misconfigured: .misconfigured(problem)
        case .invalid: .invalid(problem)
        case .corrupt: .corrupt(problem)
        case .unknown, .unspecified, .UNRECOGNIZED: .unknown(problem)
        }
    }
}

/// Text in a header: every byte but printable ASCII as %XX, like gRPC's own `grpc-message`
/// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Responses).
package enum PercentText {
    package static func encode(_ text: String) -> String {
        var encoded = ""
        encoded.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                encoded += "%" + Hex.string([byte]).uppercased()
            }
        }
        return encoded
    }

    /// Nil for what is not encoded so.
    package static func decode(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Hex.value(of:)),
                let low = rest.popFirst().flatMap(Hex.value(of:))
            else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
