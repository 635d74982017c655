// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why an operation on the file did not go through.
enum StoreFault: Error {
    /// The call was wrong; nothing was written for it.
    case refused(BrokerError)
    /// SQLite or the system said no, with the extended result code.
    case sqlite(code: Int32, message: String)
    case closed

    /// The fault that `database` reports for its latest call.
    init(_ code: Int32, in database: OpaquePointer?) {
        let message = database.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(code)
        var text = message.map { String(cString: $0) } ?? "code \(code)"
        let system = database.map { sqlite3_system_errno($0) } ?? 0
        guard code & 0xFF == SQLITE_IOERR, Self.noRoom.contains(system) else {
            self = .sqlite(code: code, message: text)
            return
        }
        text += ": \(String(cString: strerror(system)))"
        // Why only a write: what was not written whole is not there after a crash. When the sync or
        // the index after it fails, the commit may be.
        self = .sqlite(code: code == writeFailed ? SQLITE_FULL : code, message: text)
    }

    /// What the system says when a disk, a quota or the process's limit of a file is used up. SQLite
    /// makes SQLITE_FULL of the first alone, and only where it writes to a file.
    private static let noRoom: Set<Int32> = [ENOSPC, EDQUOT, EFBIG]

    /// True when the file system of `path` has no room for another block of the -shm.
    ///
    /// Why asked here: an error of opening comes without the system's word.
    static func isFull(_ path: String) -> Bool {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return false }
        return UInt64(info.f_bavail) * UInt64(info.f_frsize) < 64 << 10
            || (info.f_files > 0 && info.f_favail == 0)
    }

    /// The fault as the caller of the seam hears it. `committing` is true when the commit itself
    /// failed at the disk, so that nobody can say whether it will be found after a crash.
    func brokerError(_ what: String, at path: String, committing: Bool = false) -> BrokerError {
        switch self {
        case .refused(let error):
            return error
        case .closed:
            return .unavailable(
                .init(
                    what: what, location: "the SQLite file '\(path)'",
                    cause: "this broker was shut down",
                    advice: "Open a new SQLiteBroker; nothing was changed by this call."))
        case .sqlite(let code, let message):
            return Self.translate(code, message, what, path, committing)
        }
    }

    private static func translate(
        _ code: Int32, _ message: String, _ what: String, _ path: String, _ committing: Bool
    ) -> BrokerError {
        func problem(_ advice: String) -> BrokerError.Problem {
            .init(
                what: what, location: "the SQLite file '\(path)'",
                cause: "\(message) (SQLite code \(code))", advice: advice)
        }
        switch code & 0xFF {
        case SQLITE_CORRUPT:
            return .corrupt(
                problem(
                    """
                    Stop all processes that use it and keep the file with its -wal; \
                    `sqlite3 '\(path)' .recover` writes what can be read into a new file.
                    """))
        case SQLITE_NOTADB:
            return .corrupt(
                problem("It is not a SQLite database: check the path. Nothing was written to it."))
        case SQLITE_FULL:
            return .storageFull(
                problem(
                    "Free space on its disk (or raise max_page_count); what was accepted stays."))
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return .misconfigured(
                problem("Give this process the right to write the file and its directory."))
        case SQLITE_CANTOPEN:
            return .misconfigured(
                problem("Check that the directory exists and that this process may write in it."))
        case SQLITE_IOERR:
            let isFull = isFull(path)
            if committing && !(isFull && code == writeFailed) {
                let first = isFull ? "Free space on its disk" : "Check the disk"
                return .unknown(problem("\(first). Send again with the same ids, as resends."))
            }
            return isFull
                ? .storageFull(problem("Free space on its disk; what was accepted stays."))
                : .unavailable(problem("Check the disk, then try again; nothing was accepted."))
        case SQLITE_PROTOCOL:
            return .unavailable(
                problem(
                    """
                    Another process stands still in the middle of a step: let it go on, or end it, \
                    and try again.
                    """))
        case SQLITE_BUSY, SQLITE_LOCKED:
            return .unavailable(
                problem(
                    """
                    Another program holds the file without the queue's lock (a shell, a backup): \
                    end its transaction, then try again.
                    """))
        case SQLITE_NOMEM:
            return .unavailable(problem("The process is short of memory; try again with less."))
        case SQLITE_TOOBIG:
            return .invalid(problem("Send less in one message."))
        default:
            return .unavailable(problem("Nothing was changed by this call. Report this."))
        }
    }
}

extension BrokerError {
    static func invalid(_ what: String, _ cause: String, _ advice: String) -> BrokerError {
        .invalid(.init(what: what, location: "the SQLite broker", cause: cause, advice: advice))
    }
}

/// SQLITE_IOERR_WRITE, a macro that Swift does not see.
private let writeFailed = SQLITE_IOERR | 3 << 8
