// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import GRDB
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A connection to the history file with a thread of its own: SQLite waits for disks, and no task's
/// thread may.
///
/// What was begun runs to its end whatever happens to the caller.
final class HistoryFile: Sendable {
    let path: String
    let connection: DatabaseQueue
    private let thread: DispatchQueue
    /// Of the writing connection; nil: this one only reads.
    private let lock: FileLock?

    init(path: String, lock: FileLock?) throws {
        self.path = path
        self.lock = lock
        var configuration = Configuration()
        configuration.readonly = lock == nil
        configuration.label = lock == nil ? "godwit.history.reader" : "godwit.history.writer"
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA synchronous = FULL;
                    PRAGMA cache_size = -16384;
                    PRAGMA temp_store = MEMORY;
                    """)
            db.add(function: Self.holds)
        }
        connection = try DatabaseQueue(path: path, configuration: configuration)
        thread = DispatchQueue(label: configuration.label ?? "godwit.history")
    }

    /// Whether the first text holds the second, which is in lower case, without regard to case.
    private static let holds = DatabaseFunction("godwit_holds", argumentCount: 2, pure: true) {
        values in
        guard let text = Data.fromDatabaseValue(values[0]),
            let part = Data.fromDatabaseValue(values[1])
        else { return false }
        return String(decoding: text, as: UTF8.self).lowercased()
            .contains(String(decoding: part, as: UTF8.self))
    }

    /// Runs `body` on the thread; for the writing connection under the lock.
    func use<T: Sendable>(
        _ what: String, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(HistoryError) -> T {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<T, HistoryError>, Never>) in
            thread.async {
                continuation.resume(returning: self.perform(what, body))
            }
        }
        return try result.get()
    }

    private func perform<T>(
        _ what: String, _ body: (Database) throws -> T
    ) -> Result<T, HistoryError> {
        do {
            guard let lock else { return .success(try connection.read(body)) }
            try lock.lock()
            defer { lock.unlock() }
            return .success(try connection.writeWithoutTransaction(body))
        } catch {
            return .failure(HistoryError(error, what, path))
        }
    }

    func close() async {
        await withCheckedContinuation { continuation in
            thread.async {
                // Why under the lock: the last one to close moves the WAL into the file.
                let isLocked = (try? self.lock?.lock()) != nil
                try? self.connection.close()
                if isLocked { self.lock?.unlock() }
                continuation.resume()
            }
        }
    }
}

/// One writing process at a time, by an advisory lock on a file beside the database.
///
/// Why: SQLite up to 3.51.2 can lose a commit when two connections write or checkpoint at the same
/// moment in WAL mode. The lock is gone with its process, however that ends.
final class FileLock: Sendable {
    private static let patience = 10_000

    private let path: String
    private let descriptor: Int32

    init(beside file: String) throws {
        path = file + "-lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw Fault(path: path, cause: String(cString: strerror(errno)))
        }
    }

    deinit { _ = Self.closing(descriptor) }

    private static func closing(_ descriptor: Int32) -> Int32 { close(descriptor) }

    func lock() throws {
        var waited = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EINTR { continue }
            guard code == EWOULDBLOCK else {
                throw Fault(path: path, cause: String(cString: strerror(code)))
            }
            guard waited < Self.patience else {
                throw Fault(
                    path: path, cause: "another process has held it for \(Self.patience / 1000) s")
            }
            usleep(2_000)
            waited += 2
        }
    }

    func unlock() { flock(descriptor, LOCK_UN) }

    struct Fault: Error {
        var path: String
        var cause: String
    }
}

extension HistoryError {
    /// An error of SQLite or of the file, as the caller of the history hears it.
    init(_ error: any Error, _ what: String, _ path: String) {
        func problem(_ cause: String, _ advice: String) -> BrokerError.Problem {
            .init(
                what: what, location: "the history file '\(path)'", cause: cause, advice: advice)
        }
        switch error {
        case let error as HistoryError: self = error
        case let fault as FileLock.Fault:
            self = .unavailable(
                problem(
                    "its lock file '\(fault.path)': \(fault.cause)",
                    "Check the path and who uses it; nothing was changed by this call."))
        case let error as DatabaseError:
            let cause =
                "\(error.message ?? "no text") (SQLite code \(error.extendedResultCode.rawValue))"
            switch error.resultCode {
            case .SQLITE_CORRUPT, .SQLITE_NOTADB:
                self = .corrupt(
                    problem(
                        cause,
                        "Stop what uses it, keep the file, and give the history another path; `.recover` of the sqlite3 shell reads what can be read."
                    ))
            case .SQLITE_FULL:
                self = .unavailable(
                    problem(cause, "Free space on its disk; what is not archived yet waits."))
            default:
                self = .unavailable(
                    problem(cause, "Check the path, its rights and the disk, then try again."))
            }
        default:
            self = .unavailable(problem("\(error)", "Check the path and the disk, then try again."))
        }
    }
}
