// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Logging
import NIOPosix
public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The files of a directory as inputs: read, never written, and nothing is made in it.
///
/// Unlike in ``DirectoryStore`` a key is any path below the root that a file system allows. An etag is
/// made of the file's number, size and time of change.
public struct FileStore: ObjectStore {
    public let root: FilePath
    static let piece = 256 << 10

    public var name: String { root.string }

    /// `root` is taken as it is, links included.
    public init(_ root: FilePath) { self.root = root }

    public func head(_ key: String) async throws(StoreError) -> ObjectInfo? {
        do throws(StoreError) {
            let file = try open(key)
            defer { close(file) }
            return try info(file, key)
        } catch .gone {
            return nil
        }
    }

    public func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo {
        let file = try open(key)
        defer { close(file) }
        let before = try info(file, key)
        if let ifMatch, before.etag != ifMatch { throw changed(key) }
        var offset = range?.lowerBound ?? 0
        let end = min(range?.upperBound ?? before.size, before.size)
        while offset < end {
            let want = Int(min(UInt64(Self.piece), end - offset))
            let at = offset
            let bytes = try await NIOThreadPool.singleton.runIfActive {
                try [UInt8](unsafeUninitializedCapacity: want) { buffer, count in
                    count = 0
                    let got = pread(file, buffer.baseAddress, want, off_t(at))
                    guard got >= 0 else {
                        if errno == EINTR { return }
                        throw StoreError.unavailable("\(shown(key)) can't be read: \(reason())")
                    }
                    guard got > 0 else { throw changed(key) }
                    count = got
                }
            }
            try await consume(bytes)
            offset += UInt64(bytes.count)
        }
        // Why again: it may have been written while it was read.
        guard try info(file, key) == before else { throw changed(key) }
        return before
    }

    public func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome { throw readOnly }

    public func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome { throw readOnly }

    public func delete(_ key: String) async throws(StoreError) { throw readOnly }

    public func list(
        _ prefix: String, after: String?, limit: Int
    ) async throws(StoreError) -> [ObjectInfo] {
        let found = try DirectorySource.scan(root)
        var infos: [ObjectInfo] = []
        // The scan is in order of bytes.
        for one in found where one.key.utf8.starts(with: prefix.utf8) {
            guard infos.count < limit else { break }
            if let after, !after.utf8.lexicographicallyPrecedes(one.key.utf8) { continue }
            do throws(StoreError) {
                if let info = try await head(one.key) { infos.append(info) }
            } catch {
                // Why not thrown: one file that is not ours to read would end the listing of all.
                Logger.current.warning("passed over: \(error)")
            }
        }
        return infos
    }

    private func open(_ key: String) throws(StoreError) -> Int32 {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard !key.isEmpty, !key.utf8.contains(0), !parts.contains(""), !parts.contains(".."),
            !parts.contains(".")
        else { throw .invalid("\(shown(key)) is no path below \(root.string.escapedForDisplay)") }
        // Part by part, so that no link leads out of the root.
        var folder = systemOpen(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for (index, part) in parts.enumerated() {
            guard folder >= 0 else { throw fault(key) }
            let flags = index == parts.count - 1 ? O_NONBLOCK : O_DIRECTORY
            let next = openat(folder, String(part), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags)
            let code = errno
            close(folder)
            errno = code
            folder = next
        }
        guard folder >= 0 else { throw fault(key) }
        return folder
    }

    private func info(_ file: Int32, _ key: String) throws(StoreError) -> ObjectInfo {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw fault(key) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .invalid("\(shown(key)) is no plain file")
        }
        return ObjectInfo(
            key: key, size: UInt64(max(0, status.st_size)),
            etag:
                "\(status.st_ino)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        )
    }

    private func fault(_ key: String) -> StoreError {
        switch errno {
        case ENOENT, ENOTDIR: .gone("\(shown(key)) is not there")
        case ELOOP: .invalid("\(shown(key)) is a link, and links are not followed")
        case EACCES, EPERM: .config("\(shown(key)) can't be opened: \(reason())")
        case ENAMETOOLONG: .invalid("\(shown(key)) is longer than a name may be")
        default: .unavailable("\(shown(key)) can't be opened: \(reason())")
        }
    }

    private func changed(_ key: String) -> StoreError {
        .changed("\(shown(key)) is another file than it was")
    }

    private var readOnly: StoreError {
        .invalid("\(root.string.escapedForDisplay) holds inputs: nothing is written there")
    }

    private func shown(_ key: String) -> String { "'\(key.cut(to: 200).escapedForDisplay)'" }
    private func reason() -> String { String(cString: strerror(errno)) }
}

/// The system's word, which a method of this name hides.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
