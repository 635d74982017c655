// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import GRPCCore
import Testing

/// What went wrong on one side says the same on the other.
@Suite("Errors on the wire") struct ErrorTests {
    private static let problem = BrokerError.Problem(
        what: "enqueue 'é' 100%", location: "redis://h", cause: "it is full", advice: "Free some.")
    private static let errors: [BrokerError] = [
        .unavailable(problem), .unknown(problem), .storageFull(problem), .misconfigured(problem),
        .invalid(problem), .corrupt(problem),
    ]

    private func read(_ error: RPCError, isRead: Bool = false) -> BrokerError {
        BrokerError(error, what: "call", location: "grpc://h:1", isRead: isRead)
    }

    @Test func `an error of a store is the same behind the wire`() {
        for error in Self.errors {
            #expect(read(error.rpcError) == error)
            #expect(read(error.rpcError, isRead: true) == error)
            #expect(Godwit_V1_Failure(error).brokerError == error)
        }
        let codes = Self.errors.map(\.rpcError.code)
        #expect(
            codes == [
                .unavailable, .aborted, .resourceExhausted, .failedPrecondition, .invalidArgument,
                .dataLoss,
            ])
    }

    @Test func `a status that no Godwit made proves nothing of a write`() {
        for code in [
            RPCError.Code.unavailable, .aborted, .cancelled, .deadlineExceeded, .internalError,
            .unknown, .dataLoss, .alreadyExists,
        ] {
            let error = RPCError(code: code, message: "stream reset")
            guard case .unknown = read(error) else {
                Issue.record("\(code) of a write is \(read(error))")
                continue
            }
            guard case .unavailable = read(error, isRead: true) else {
                Issue.record("\(code) of a read is \(read(error, isRead: true))")
                continue
            }
        }
        for code in [RPCError.Code.unauthenticated, .permissionDenied, .unimplemented, .notFound] {
            guard case .misconfigured = read(RPCError(code: code, message: "no")) else {
                Issue.record("\(code) is \(read(RPCError(code: code, message: "no")))")
                continue
            }
        }
        // An answer that was too long comes after what it answers.
        guard case .unknown = read(RPCError(code: .resourceExhausted, message: "too long")) else {
            Issue.record("an answer that was too long proves nothing")
            return
        }
    }

    @Test func `a reason of a newer server may have happened`() {
        var error = BrokerError.invalid(Self.problem).rpcError
        error.metadata.removeAllValues(forKey: FailureTrailer.reason)
        error.metadata.addString("half-done", forKey: FailureTrailer.reason)
        #expect(read(error) == .unknown(Self.problem))
        var failure = Godwit_V1_Failure(.invalid(Self.problem))
        failure.reason = .UNRECOGNIZED(99)
        #expect(failure.brokerError == .unknown(Self.problem))
    }

    @Test func `hostile text can't move the cursor or forge a line`() {
        let evil = "\u{1B}[2J\r\nerror: all is well\u{202E}"
        let problem = BrokerError.Problem(what: evil, location: evil, cause: evil, advice: evil)
        let plain = RPCError(code: .internalError, message: evil)
        for error in [
            read(BrokerError.invalid(problem).rpcError), read(plain), read(plain, isRead: true),
            Godwit_V1_Failure(.invalid(problem)).brokerError,
        ] {
            for character in ["\u{1B}", "\r", "\n", "\u{202E}"] {
                #expect(!"\(error)".unicodeScalars.contains(character.unicodeScalars.first ?? " "))
            }
        }
    }

    @Test func `long facts are cut, and still fit into a head`() {
        let long = String(repeating: "é", count: 100_000)
        let problem = BrokerError.Problem(what: long, location: long, cause: long, advice: long)
        let error = BrokerError.corrupt(problem).rpcError
        let bytes = error.metadata.reduce(0) { size, pair in
            size + pair.key.utf8.count + "\(pair.value)".utf8.count
        }
        #expect(bytes < 16 << 10)
        guard case .corrupt(let read) = read(error) else {
            Issue.record("a long error is \(read(error))")
            return
        }
        #expect(read.what == String(repeating: "é", count: 512))
    }
}
