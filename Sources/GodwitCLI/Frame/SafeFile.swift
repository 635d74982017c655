// SPDX-License-Identifier: Apache-2.0
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Files that hold secrets or payloads: 0600 from their first byte, never through a link.
enum SafeFile {
    /// Writes a file that must not be there yet.
    ///
    /// - Throws: `exists` where something stands in its place, also a dangling link.
    static func create(_ path: String) throws -> FileHandle {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw refusal(of: path, errno) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Puts bytes in a file's place: written whole under another name, synced, renamed.
    static func replace(_ file: URL, with bytes: [UInt8]) throws {
        let folder = file.deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                .forbidden,
                "the folder \(folder.path) can't be made: \(error.localizedDescription). Check its rights."
            )
        }
        let name = folder.appendingPathComponent(
            ".\(file.lastPathComponent).\(UInt64.random(in: .min ... .max))"
        ).path
        let handle = try create(name)
        do {
            try handle.write(contentsOf: Data(bytes))
            try handle.synchronize()
            try handle.close()
            guard rename(name, file.path) == 0 else { throw refusal(of: file.path, errno) }
        } catch {
            unlink(name)
            throw error
        }
    }

    private static func refusal(of path: String, _ number: Int32) -> Failure {
        let reason = String(cString: strerror(number))
        return switch number {
        case EEXIST, ELOOP:
            Failure(
                .exists,
                "'\(path)' is there already, and nothing was written. Give another name, or move it away."
            )
        case EACCES, EPERM, EROFS:
            Failure(.forbidden, "'\(path)' can't be written: \(reason). Check its rights.")
        default: Failure(.io, "'\(path)' can't be written: \(reason). Check its path and its disk.")
        }
    }
}
