// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
public import SystemPackage

/// Objects as files of a directory tree.
///
/// A put writes a file of a temporary name in `.godwit-tmp` of the same tree, brings it to the disk, and
/// then gives it its name: by `rename`, or by `link`, which leaves what is there, for
/// ``PutOptions/ifAbsent``. So a crash leaves a temporary file at most, and the next store that is opened
/// here removes it: a lock on the file tells whether its writer still lives.
///
/// Narrower than S3: a key is no prefix of another's folder (`a` and `a/b`), a part of a key has at most
/// 255 bytes and is not empty, and content types are not kept. Symbolic links are not followed, but the
/// root itself may be one. An ETag is made of the file's number, size and time of change.
public struct DirectoryStore: ObjectStore {
    static let folder = ".godwit-tmp"
    static let piece = 256 << 10

    public let root: FilePath
    let top: Descriptor
    private let temporary: Descriptor

    public var name: String { root.string }

    /// Opens a directory, makes it when it is not there, and removes what crashed writers left.
    public init(_ root: FilePath) throws(StoreError) {
        do {
            try FileManager.default.createDirectory(
                atPath: root.string, withIntermediateDirectories: true)
        } catch {
            throw .config(
                "'\(root.string.escapedForDisplay)' is no directory and can't be made one")
        }
        self.root = root
        top = try Descriptor.open(root.string, O_RDONLY | O_DIRECTORY)
        guard let temporary = try top.directory(Self.folder, makes: true) else {
            throw .unavailable("'\(root.string.escapedForDisplay)' changes while it is opened")
        }
        self.temporary = temporary
        try sweep()
    }

    public func head(_ key: String) async throws(StoreError) -> ObjectInfo? {
        try check(key)
        return try await onBlockingThread { () throws(StoreError) in
            guard let file = try find(key) else { return nil }
            return try info(key, file)
        }
    }

    public func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo {
        try check(key)
        let (file, info) = try await onBlockingThread {
            () throws(StoreError) -> (Descriptor, ObjectInfo) in
            guard let file = try self.find(key), let found = try self.info(key, file) else {
                throw StoreError.gone("\(self.shown(key)) is not there")
            }
            return (file, found)
        }
        if let ifMatch, ifMatch != info.etag { throw changed(key) }
        if let range, range.isEmpty || range.lowerBound >= info.size {
            throw StoreError.invalid("\(shown(key)) has no bytes in \(range)")
        }
        var position = range?.lowerBound ?? 0
        let end = min(range?.upperBound ?? info.size, info.size)
        while position < end {
            try Task.checkCancellation()
            let count = Int(min(UInt64(Self.piece), end - position))
            let at = position
            let bytes = try await onBlockingThread { () throws(StoreError) in
                try file.read(count, at: at, key)
            }
            guard bytes.count == count else { throw changed(key) }
            try await consume(bytes)
            position += UInt64(count)
        }
        // Why looked at again: somebody may have written into the file itself.
        let after = try await onBlockingThread { () throws(StoreError) in try self.info(key, file) }
        guard after == info else { throw changed(key) }
        return info
    }

    public func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try check(key)
        return try await onBlockingThread { () throws(StoreError) in
            try write(key, options) { (file) throws(StoreError) in try file.write(bytes, key) }
        }
    }

    public func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try check(key)
        if options.ifAbsent,
            try await onBlockingThread({ () throws(StoreError) in try isThere(key) })
        {
            return .exists
        }
        let (source, target, name) = try await onBlockingThread {
            () throws(StoreError) -> (Descriptor, Descriptor, String) in
            let source = try Descriptor.open(file.string, O_RDONLY | O_NONBLOCK)
            guard try source.status(file.string).st_mode & S_IFMT == S_IFREG else {
                throw StoreError.invalid("\(shown(file.string)) is no regular file")
            }
            let (target, name) = try temporaryFile()
            return (source, target, name)
        }
        do throws(StoreError) {
            var position: UInt64 = 0
            while true {
                // Why a job for each MiB: the threads are few, and everybody's.
                guard !Task.isCancelled else { throw .unavailable("\(shown(key)): cancelled") }
                let at = position
                let count = try await onBlockingThread { () throws(StoreError) -> Int in
                    let bytes = try source.read(1 << 20, at: at, file.string)
                    try target.write(bytes, key)
                    return bytes.count
                }
                if count == 0 { break }
                position += UInt64(count)
            }
        } catch {
            unlinkat(temporary.number, name, 0)
            throw error
        }
        return try await onBlockingThread { () throws(StoreError) in
            try finish(target, name, key, options)
        }
    }

    public func delete(_ key: String) async throws(StoreError) {
        try check(key)
        try await onBlockingThread { () throws(StoreError) in
            guard let (folder, name) = try place(of: key, makes: false) else { return }
            guard unlinkat(folder.number, name, 0) == 0 || errno == ENOENT else {
                throw StoreError.of(errno, key)
            }
            try folder.sync(key)
        }
    }

    // MARK: Places

    private func check(_ key: String) throws(StoreError) {
        try StoreKey.check(key)
        guard
            !key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
                .contains(where: \.isEmpty)
        else { throw .invalid("\(shown(key)) is no key here: a part of it is empty") }
        guard !key.hasPrefix(Self.folder + "/"), key != Self.folder else {
            throw .invalid("\(shown(key)) is no key here: the name is this store's own")
        }
    }

    private func shown(_ text: String) -> String {
        "'\(String(text.prefix(120)).escapedForDisplay)'"
    }

    private func changed(_ key: String) -> StoreError {
        .changed("\(shown(key)) in \(shown(root.string)) is another one by now")
    }

    /// The folder of a key and its name there, walked part by part, so that no link leads away.
    private func place(
        of key: String, makes: Bool
    ) throws(StoreError) -> (Descriptor, String)? {
        var parts = key.split(separator: "/")
        guard let name = parts.popLast() else { return nil }
        var folder = top
        for part in parts {
            guard let next = try folder.directory(String(part), makes: makes) else { return nil }
            folder = next
        }
        return (folder, String(name))
    }

    private func find(_ key: String) throws(StoreError) -> Descriptor? {
        do {
            guard let (folder, name) = try place(of: key, makes: false) else { return nil }
            // Why not blocking: a pipe of that name would hold this thread.
            return try folder.open(name, O_RDONLY | O_NONBLOCK)
        } catch {
            // A link, or a file where a folder would be: no object lies there.
            if case .invalid = error { return nil }
            throw error
        }
    }

    private func isThere(_ key: String) throws(StoreError) -> Bool {
        guard let file = try find(key) else { return false }
        return try info(key, file) != nil
    }

    /// nil for what is no regular file.
    private func info(_ key: String, _ file: Descriptor) throws(StoreError) -> ObjectInfo? {
        Self.info(key, try file.status(key))
    }

    static func info(_ key: String, _ status: stat) -> ObjectInfo? {
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        #if canImport(Darwin)
        let time = status.st_mtimespec
        #else
        let time = status.st_mtim
        #endif
        let words = [
            UInt64(status.st_ino), UInt64(status.st_size), UInt64(bitPattern: Int64(time.tv_sec)),
            UInt64(bitPattern: Int64(time.tv_nsec)),
        ]
        return ObjectInfo(
            key: key, size: UInt64(status.st_size),
            etag: words.map { String($0, radix: 16) }.joined(separator: "-"))
    }

    // MARK: Writing

    private func write(
        _ key: String, _ options: PutOptions,
        _ fill: (Descriptor) throws(StoreError) -> Void
    ) throws(StoreError) -> PutOutcome {
        if options.ifAbsent, try isThere(key) { return .exists }
        let (file, name) = try temporaryFile()
        do throws(StoreError) {
            try fill(file)
        } catch {
            unlinkat(temporary.number, name, 0)
            throw error
        }
        return try finish(file, name, key, options)
    }

    /// Gives a written file its name.
    private func finish(
        _ file: Descriptor, _ name: String, _ key: String, _ options: PutOptions
    ) throws(StoreError) -> PutOutcome {
        do throws(StoreError) {
            // Why before the name: after a power cut the name must not stand over half the bytes.
            try file.sync(key)
            guard let (folder, last) = try place(of: key, makes: true),
                let info = try info(key, file)
            else { throw .unavailable("\(shown(key)): its folder changes while it is written") }
            if options.ifAbsent {
                guard linkat(temporary.number, name, folder.number, last, 0) == 0 else {
                    let code = errno
                    guard code == EEXIST, try isThere(key) else {
                        throw .of(code == EEXIST ? EISDIR : code, key)
                    }
                    unlinkat(temporary.number, name, 0)
                    return .exists
                }
                unlinkat(temporary.number, name, 0)
            } else if renameat(temporary.number, name, folder.number, last) != 0 {
                throw .of(errno, key)
            }
            try folder.sync(key)
            return .stored(etag: info.etag)
        } catch {
            unlinkat(temporary.number, name, 0)
            throw error
        }
    }

    /// A new file with a lock on it for as long as it is open.
    private func temporaryFile() throws(StoreError) -> (Descriptor, String) {
        while true {
            let name = String(UInt64.random(in: .min ... .max), radix: 16)
            let flags = O_RDWR | O_CREAT | O_EXCL
            guard let file = try temporary.open(name, flags, 0o666) else {
                throw .unavailable("\(shown(root.string)) is gone")
            }
            guard flock(file.number, LOCK_EX) == 0 else { throw .of(errno, name) }
            // A sweep may have come between: then it has no name any more.
            if try file.status(name).st_nlink > 0 { return (file, name) }
        }
    }

    /// Removes temporary files that no living writer holds.
    private func sweep() throws(StoreError) {
        for name in try temporary.entries(Self.folder).map(\.name) {
            guard let file = try temporary.open(name, O_RDONLY | O_NONBLOCK),
                flock(file.number, LOCK_EX | LOCK_NB) == 0
            else { continue }
            unlinkat(temporary.number, name, 0)
        }
    }
}
