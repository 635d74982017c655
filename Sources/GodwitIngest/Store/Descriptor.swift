// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import NIOPosix

/// A number of an open file or directory, closed when nobody holds it any more.
final class Descriptor: Sendable {
    let number: CInt

    private init(_ number: CInt) { self.number = number }

    deinit { close(number) }

    /// Opens by path; symbolic links are followed.
    static func open(_ path: String, _ flags: CInt) throws(StoreError) -> Descriptor {
        let number = Foundation.open(path, flags | O_CLOEXEC)
        guard number >= 0 else { throw StoreError.of(errno, path) }
        return Descriptor(number)
    }

    /// Opens what lies in this directory, unless it is a symbolic link. nil when there is nothing.
    func open(
        _ name: String, _ flags: CInt, _ mode: mode_t = 0
    ) throws(StoreError) -> Descriptor? {
        let found = openat(number, name, flags | O_NOFOLLOW | O_CLOEXEC, mode)
        if found >= 0 { return Descriptor(found) }
        let code = errno
        if code == ENOENT { return nil }
        throw StoreError.of(code, name)
    }

    /// The directory of that name in this one, made when it is not there and `makes`.
    func directory(_ name: String, makes: Bool) throws(StoreError) -> Descriptor? {
        let flags = O_RDONLY | O_DIRECTORY
        if let found = try open(name, flags) { return found }
        guard makes else { return nil }
        guard mkdirat(number, name, 0o777) == 0 || errno == EEXIST else {
            throw StoreError.of(errno, name)
        }
        // Why: the entry itself must outlive a power cut.
        try sync(name)
        return try open(name, flags)
    }

    func sync(_ name: String) throws(StoreError) {
        guard fsync(number) == 0 else { throw StoreError.of(errno, name) }
    }

    func status(_ name: String) throws(StoreError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw StoreError.of(errno, name) }
        return status
    }

    /// Up to `count` bytes; fewer only at the end.
    func read(_ count: Int, at offset: UInt64, _ name: String) throws(StoreError) -> [UInt8] {
        var code: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    number, buffer.baseAddress.map { $0 + filled }, count - filled,
                    off_t(offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { code = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        guard code == 0 else { throw StoreError.of(code, name) }
        return bytes
    }

    func write(_ bytes: [UInt8], _ name: String) throws(StoreError) {
        var code: CInt = 0
        bytes.withUnsafeBytes { all in
            var rest = all
            while !rest.isEmpty, code == 0 {
                let count = Foundation.write(number, rest.baseAddress, rest.count)
                if count >= 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if errno != EINTR {
                    code = errno
                }
            }
        }
        guard code == 0 else { throw StoreError.of(code, name) }
    }
}

extension StoreError {
    /// What an error of the system means for the caller.
    static func of(_ code: CInt, _ name: String) -> StoreError {
        let text =
            "'\(String(name.prefix(120)).escapedForDisplay)': \(String(cString: strerror(code)))"
        switch code {
        case ENOENT: return .gone(text)
        case EACCES, EPERM, EROFS: return .config(text + ". Check who may write there")
        case ELOOP, ENOTDIR:
            return .invalid(text + " (links are not followed, and a file is no directory)")
        case ENAMETOOLONG, EISDIR, EINVAL, EILSEQ: return .invalid(text)
        default: return .unavailable(text)
        }
    }
}

/// Runs what may block on a thread made for that.
func onBlockingThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws(StoreError) -> Result
) async throws(StoreError) -> Result {
    do {
        return try await NIOThreadPool.singleton.runIfActive { try body() }
    } catch {
        throw (error as? StoreError) ?? .unavailable("\(error)")
    }
}
