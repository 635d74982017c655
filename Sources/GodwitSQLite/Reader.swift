// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

/// A connection that only reads, on a thread of its own, so that looking never waits for writers.
final class Reader: Sendable {
    let connection: DatabaseQueue
    let path: String

    init(_ connection: DatabaseQueue, path: String) {
        self.connection = connection
        self.path = path
    }

    /// Runs `body` in one snapshot; a cancelled caller still gets its answer.
    func read<T: Sendable>(
        _ what: @autoclosure @escaping @Sendable () -> String,
        _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(BrokerError) -> T {
        let result: Result<T, BrokerError> = await withCheckedContinuation { continuation in
            connection.asyncRead { database in
                let result = Result { try body(database.get()) }
                continuation.resume(
                    returning: result.mapError { self.brokerError($0, what()) })
            }
        }
        return try result.get()
    }

    func brokerError(_ error: any Error, _ what: String) -> BrokerError {
        if let error = error as? BrokerError { return error }
        return StoreFault(error).brokerError(what, at: path)
    }

    func close() { try? connection.close() }
}

extension StoreFault {
    /// What GRDB says, as SQLite said it.
    init(_ error: any Error) {
        switch error {
        case let fault as StoreFault:
            self = fault
        case let error as DatabaseError where error.resultCode == .SQLITE_MISUSE:
            self = .closed
        case let error as DatabaseError:
            self = .sqlite(
                code: error.extendedResultCode.rawValue,
                message: error.message ?? "no message")
        default:
            self = .sqlite(code: 1, message: "\(error)")
        }
    }
}
