// SPDX-License-Identifier: Apache-2.0
import Godwit
import GRPCCore
import Synchronization

/// Where the one that writes a stream waits until the one that reads it knows what for.
final class StreamEntrance<Opened: Sendable>: Sendable {
    private let state = Mutex<Result<Opened?, RPCError>?>(nil)
    private let signal = Signal()

    func open(_ opened: Opened) {
        state.withLock { $0 = .success(opened) }
        signal.fire()
    }

    func end(with error: RPCError?) {
        state.withLock { $0 = error.map { .failure($0) } ?? .success(nil) }
        signal.fire()
    }

    /// Nil for a client that closed without a word.
    func opened() async throws -> Opened? {
        while true {
            if let result = state.withLock({ $0 }) { return try result.get() }
            if Task.isCancelled { return nil }
            await signal.wait()
        }
    }
}

extension RPCError {
    /// What a stream ends with that could not be read on.
    init(refusing error: any Error) {
        self =
            switch error {
            case let error as RPCError: error
            case let error as WireError: error.brokerError.rpcError
            case let error as BrokerError: error.rpcError
            default: RPCError(code: .internalError, message: "the stream could not be read")
            }
    }
}

/// What a call to the store gave, to be told to a session.
func attempt<Value>(
    _ body: () async throws(BrokerError) -> Value
) async -> Result<Value, BrokerError> {
    do throws(BrokerError) {
        return .success(try await body())
    } catch {
        return .failure(error)
    }
}
