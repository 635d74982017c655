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

/// The file of a broker and its companions on disk: `-wal`, `-shm`, `-lock`.
struct DatabaseFile: Sendable {
    /// Absolute and without symbolic links, so that everybody meets at the same lock.
    let path: String

    /// Finds the file or makes an empty one that only its owner may read and write.
    init(at given: String) throws(BrokerError) {
        guard !given.isEmpty, !given.utf8.contains(0), given != ":memory:" else {
            throw .misconfigured(
                .init(
                    what: "open a queue", location: "the SQLite file '\(given)'",
                    cause: "that is not the path of a file",
                    advice: "Give the path of a file, or use a MemoryBroker."))
        }
        // Why: SQLite would take the mode from the umask; its -wal and -shm copy the file's mode.
        let descriptor = open(given, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            fchmod(descriptor, 0o600)
            close(descriptor)
        } else if errno != EEXIST {
            throw Self.cannotOpen(given, errno)
        }
        guard let resolved = realpath(given, nil) else { throw Self.cannotOpen(given, errno) }
        defer { free(resolved) }
        path = String(cString: resolved)
        var info = stat()
        guard stat(path, &info) == 0 else { throw Self.cannotOpen(path, errno) }
        guard info.st_mode & S_IFMT == S_IFREG else { throw Self.cannotOpen(path, EISDIR) }
    }

    static func cannotOpen(_ path: String, _ code: Int32) -> BrokerError {
        let advice =
            switch code {
            case ENOENT, ENOTDIR: "Make its directory first, or check the path."
            case EACCES, EPERM, EROFS: "Give this process the right to write there."
            case EISDIR: "It is a directory or a device: give the path of a file."
            case ENOSPC, EDQUOT: "Free space on its disk."
            case ELOOP: "It is a symbolic link where none may be; remove the link."
            default: "Check the path and the disk."
            }
        let problem = BrokerError.Problem(
            what: "open a queue", location: "the SQLite file '\(path)'",
            cause: String(cString: strerror(code)), advice: advice)
        return code == ENOSPC || code == EDQUOT ? .storageFull(problem) : .misconfigured(problem)
    }

    /// What changes whenever anybody commits.
    struct Stamp: Equatable {
        var sizes: [Int64] = []
    }

    /// Looks at the file and its WAL from outside; two `stat` calls, nothing is opened.
    func stamp() -> Stamp {
        var stamp = Stamp()
        for name in [path, path + "-wal"] {
            var info = stat()
            guard stat(name, &info) == 0 else { continue }
            #if canImport(Darwin)
            let time = info.st_mtimespec
            #else
            let time = info.st_mtim
            #endif
            stamp.sizes += [Int64(info.st_size), Int64(time.tv_sec), Int64(time.tv_nsec)]
        }
        return stamp
    }
}
