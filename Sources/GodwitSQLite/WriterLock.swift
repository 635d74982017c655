// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Dispatch
import Godwit
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The right to write the file: one process and one connection at a time (design, decision 8).
///
/// Why: SQLite up to 3.51.2 can lose a commit when two connections write or checkpoint at the same
/// moment. An advisory lock on a file beside the database lets the kernel queue the writers; it is
/// gone with its process, however that ends. A process that is only stopped keeps it: then the others
/// hear `unavailable` after ``patience``.
final class WriterLock: Sendable {
    /// A thread that waits in the kernel, because nothing there ends a wait for a lock at a deadline.
    private enum Waiting {
        case nobody
        /// What comes in is for the one at the semaphore; nobody is there when it is nil.
        case inKernel(Arrival?)
    }

    private final class Arrival: Sendable {
        let semaphore = DispatchSemaphore(value: 0)
        let fault: Mutex<StoreFault?> = Mutex(nil)
    }

    private let descriptor: Int32
    private let patience: Duration
    private let waiting = Mutex(Waiting.nobody)
    private let kernel = DispatchQueue(label: "godwit.sqlite.lock", qos: .userInitiated)

    init(beside file: DatabaseFile, patience: Duration) throws(BrokerError) {
        self.patience = patience
        let path = file.path + "-lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw DatabaseFile.cannotOpen(path, errno) }
        var info = stat()
        if fstat(descriptor, &info) == 0, info.st_size == 0, info.st_mode & 0o777 != 0o600 {
            fchmod(descriptor, 0o600)
        }
    }

    deinit { close(descriptor) }

    /// Waits until nobody else has it; one thread at a time.
    func lock() throws(StoreFault) {
        let arrival = Arrival()
        let (isMine, starts) = waiting.withLock { waiting -> (Bool, Bool) in
            if case .inKernel = waiting {
                waiting = .inKernel(arrival)
                return (false, false)
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return (true, false) }
            waiting = .inKernel(arrival)
            return (false, true)
        }
        if isMine { return }
        if starts { kernel.async { self.waitInKernel() } }
        let limit = DispatchTime.now() + .milliseconds(Int(clamping: patience.milliseconds))
        if arrival.semaphore.wait(timeout: limit) == .timedOut {
            let isLate = waiting.withLock { waiting -> Bool in
                guard case .inKernel = waiting else { return false }
                waiting = .inKernel(nil)
                return true
            }
            if isLate { throw Self.held(patience) }
        }
        if let fault = arrival.fault.withLock({ $0 }) { throw fault }
    }

    func unlock() { flock(descriptor, LOCK_UN) }

    private func waitInKernel() {
        var fault: StoreFault?
        while flock(descriptor, LOCK_EX) != 0 {
            let code = errno
            if code == EINTR { continue }
            fault = .sqlite(
                code: SQLITE_IOERR,
                message: "flock on the -lock file: \(String(cString: strerror(code)))")
            break
        }
        let arrival = waiting.withLock { waiting -> Arrival? in
            guard case .inKernel(let arrival) = waiting else { return nil }
            waiting = .nobody
            // Nobody waits any more: what nobody uses must not be kept from others.
            if arrival == nil, fault == nil { unlock() }
            return arrival
        }
        guard let arrival else { return }
        arrival.fault.withLock { $0 = fault }
        arrival.semaphore.signal()
    }

    private static func held(_ patience: Duration) -> StoreFault {
        .refused(
            .unavailable(
                .init(
                    what: "lock the file for writing", location: "the SQLite file's -lock",
                    cause: "another process has held it for \(patience)",
                    advice: """
                        Nothing was changed. Look for a process that is stopped (SIGSTOP, a debugger) \
                        with `fuser` on the -lock file: let it go on, or end it.
                        """)))
    }
}
