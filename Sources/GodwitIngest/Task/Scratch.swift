// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Logging
import Synchronization
public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The folder for temporary files: one below it for each process, one below that for each run.
///
/// A process holds a lock on its folder as long as it lives, in whatever way it dies; so whoever starts
/// or ends sees which folders belong to nobody any more, and removes them. Names are our own: nothing of a
/// track's name stands in them.
public final class Scratch: Sendable {
    /// This process's own.
    public let folder: FilePath
    private let root: FilePath
    private let lock: FileDescriptor
    private let next = Atomic<Int>(0)
    private let isClosed = Atomic(false)

    private static let lockName = ".lock"
    private static let prefix = "process-"

    /// Makes this process's folder below `root`, which is made too, and removes what dead ones left.
    public init(below root: FilePath) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: root.string, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw TaskFailure.config(
                "the folder for temporary files, \(root.string.escapedForDisplay), can't be made: \(error.localizedDescription)"
            )
        }
        try Self.checkOwner(of: root)
        // Why a lock around both: a folder that is made and not yet locked looks like a dead one's.
        let gate = try Self.open(root.appending(Self.lockName))
        defer { try? gate.close() }
        while flock(gate.rawValue, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
        Self.sweep(root)
        self.root = root
        let name = "\(Self.prefix)\(getpid())-\(UUID().uuidString.prefix(8).lowercased())"
        folder = root.appending(name)
        try FileManager.default.createDirectory(
            atPath: folder.string, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
        lock = try Self.open(folder.appending(Self.lockName))
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close() }

    /// Removes this process's folder, and what those left that died meanwhile. Repeated: nothing happens.
    public func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        Self.remove(folder)
        try? lock.close()
        // Why no wait: who holds the gate sweeps.
        guard let gate = try? Self.open(root.appending(Self.lockName)) else { return }
        if flock(gate.rawValue, LOCK_EX | LOCK_NB) == 0 { Self.sweep(root) }
        try? gate.close()
    }

    /// Lends a new folder and removes it afterwards, however `body` ends.
    public func withFolder<R>(_ body: (FilePath) async throws -> R) async throws -> R {
        let number = next.wrappingAdd(1, ordering: .relaxed).newValue
        let path = folder.appending("run-\(number)")
        do {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw TaskFailure.retry(
                "a temporary folder can't be made in \(folder.string.escapedForDisplay): \(error.localizedDescription). Is the disk full?"
            )
        }
        defer { Self.remove(path) }
        return try await body(path)
    }

    /// Why: whoever may write there could rename our folder and put links in its place.
    private static func checkOwner(of root: FilePath) throws(TaskFailure) {
        var facts = stat()
        let name = root.string.escapedForDisplay
        guard lstat(root.string, &facts) == 0 else {
            throw .config("the folder for temporary files, \(name), can't be looked at")
        }
        let advice = "name another folder in temp.folder"
        guard facts.st_mode & S_IFMT == S_IFDIR else {
            throw .config("the folder for temporary files, \(name), is a link: \(advice)")
        }
        guard facts.st_uid == geteuid() else {
            throw .config(
                "the folder for temporary files, \(name), belongs to user \(facts.st_uid): \(advice)"
            )
        }
        guard facts.st_mode & 0o077 == 0 else {
            throw .config(
                "the folder for temporary files, \(name), is open to other users: chmod 700 it, or \(advice)"
            )
        }
    }

    private static func sweep(_ root: FilePath) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.string)) ?? []
        for name in names where name.hasPrefix(prefix) {
            let folder = root.appending(name)
            let lock: FileDescriptor
            do {
                lock = try FileDescriptor.open(
                    folder.appending(lockName), .readWrite, options: [.noFollow, .closeOnExec])
            } catch Errno.noSuchFileOrDirectory {
                // Its owner died between making and locking it, or while it removed it.
                remove(folder)
                continue
            } catch {
                continue
            }
            if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 {
                Logger.current.notice("removing what a process that died left: \(name)")
                remove(folder)
            }
            try? lock.close()
        }
    }

    private static func remove(_ folder: FilePath) {
        do {
            try FileManager.default.removeItem(atPath: folder.string)
        } catch {
            if FileManager.default.fileExists(atPath: folder.string) {
                Logger.current.error(
                    "\(folder.string.escapedForDisplay) can't be removed and takes disk: \(error.localizedDescription)"
                )
            }
        }
    }

    private static func open(_ path: FilePath) throws -> FileDescriptor {
        try FileDescriptor.open(
            path, .readWrite, options: [.create, .noFollow, .closeOnExec],
            permissions: [.ownerReadWrite])
    }
}
