// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit
import NIOPosix
import Synchronization
public import SystemPackage

/// The track's object as a local file, fetched by us, under a name of our own.
public struct InputFile: Sendable, Hashable {
    public let path: FilePath
    public let size: UInt64
    /// In hex, made of the very bytes that were written.
    public let sha256: String
}

extension InputFile {
    /// Fetches the object that the track names, pinned to its etag, into `folder`.
    ///
    /// - Throws: ``TaskFailure/gone(_:)`` when it is not there, ``InputChanged`` when another one is,
    ///   ``TaskFailure/mediaLimit(_:)`` when more bytes come than `limit`.
    /// - Crash half way: the folder is this process's, and goes with it.
    static func fetch(
        _ track: Track, from store: any ObjectStore, into folder: FilePath, limit: UInt64,
        progress: @escaping @Sendable (UInt64) -> Void
    ) async throws -> InputFile {
        guard track.size <= limit else { throw tooLarge(track.size, limit) }
        let path = folder.appending("input")
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
                permissions: [.ownerReadWrite])
        } catch {
            throw TaskFailure.retry("the temporary file can't be made: \(error)")
        }
        defer { try? file.close() }
        let sum = Mutex((hash: SHA256(), size: UInt64(0)))
        do {
            _ = try await store.read(track.key, nil, ifMatch: track.etag) { piece in
                let size = sum.withLock { sum in
                    sum.hash.update(data: piece)
                    sum.size += UInt64(piece.count)
                    return sum.size
                }
                guard size <= limit else { throw tooLarge(size, limit) }
                do {
                    try await NIOThreadPool.singleton.runIfActive { _ = try file.writeAll(piece) }
                } catch {
                    throw TaskFailure.retry(
                        "the temporary file can't be written after \(size) bytes: \(error). Is the disk full?"
                    )
                }
                progress(size)
            }
        } catch StoreError.gone(let text) {
            throw TaskFailure.gone(text)
        } catch StoreError.changed(let text) {
            throw InputChanged(text: text)
        } catch StoreError.invalid(let text) {
            throw TaskFailure.mediaInvalid(text)
        }
        let (hash, size) = sum.withLock { ($0.hash.finalize(), $0.size) }
        return InputFile(path: path, size: size, sha256: Hex.string(Array(hash)))
    }

    private static func tooLarge(_ size: UInt64, _ limit: UInt64) -> TaskFailure {
        .mediaLimit(
            "the object has \(size) bytes or more, and \(limit) are allowed: raise input.max-bytes if such files are wanted"
        )
    }

    /// Size and hash of a local file.
    static func digest(
        of path: FilePath, moved: () -> Void = {}
    ) async throws -> (size: UInt64, sha256: String) {
        let file = try Descriptor.open(path.string, O_RDONLY | O_NOFOLLOW)
        var hash = SHA256()
        var size: UInt64 = 0
        while true {
            try Task.checkCancellation()
            let at = size
            // Why a thread: a slow disk must not hold those that renew leases.
            let bytes = try await onBlockingThread { () throws(StoreError) in
                try file.read(1 << 20, at: at, path.string)
            }
            guard !bytes.isEmpty else { break }
            hash.update(data: bytes)
            size += UInt64(bytes.count)
            moved()
        }
        return (size, Hex.string(Array(hash.finalize())))
    }
}

/// Another object lies under the track's key by now.
struct InputChanged: Error {
    var text: String
}
