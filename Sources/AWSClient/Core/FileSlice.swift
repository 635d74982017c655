// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import NIOCore
import NIOPosix

/// Some bytes of a file, read in pieces off the threads that carry tasks.
///
/// Keeps the file open while it lives. At most one piece of 256 KiB is in memory for each reader.
public struct FileSlice: Sendable {
    static let piece = 256 << 10

    let file: OpenFile
    public let offset: UInt64
    public let count: UInt64

    /// `count` bytes from `offset` of an open file.
    init(_ file: OpenFile, _ offset: UInt64, _ count: UInt64) {
        self.file = file
        self.offset = offset
        self.count = count
    }

    /// SHA-256 in hex.
    func hash() async throws(AWSError) -> String {
        var hash = SHA256()
        do {
            for try await piece in pieces {
                piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            }
        } catch {
            throw (error as? AWSError) ?? AWSError(.unavailable, "\(file.path): \(error)")
        }
        return hash.finalize().map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    var pieces: Pieces { Pieces(slice: self) }

    struct Pieces: AsyncSequence, Sendable {
        typealias Element = ByteBuffer
        let slice: FileSlice

        func makeAsyncIterator() -> Iterator { Iterator(slice: slice) }

        struct Iterator: AsyncIteratorProtocol {
            let slice: FileSlice
            var done: UInt64 = 0

            mutating func next() async throws -> ByteBuffer? {
                let count = Int(Swift.min(UInt64(FileSlice.piece), slice.count - done))
                guard count > 0 else { return nil }
                let piece = try await slice.file.read(count, at: slice.offset + done)
                done += UInt64(count)
                return piece
            }
        }
    }
}

/// A regular file that is open for reading, closed when nobody holds it any more.
final class OpenFile: Sendable {
    let path: String
    let size: UInt64
    private let descriptor: CInt

    /// Opens a file; symbolic links are followed, what is no regular file is refused.
    init(_ path: String) throws(AWSError) {
        // Why not blocking: a pipe of that name would hold this thread.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            throw AWSError(
                .refused,
                "'\(shown(path))' can't be read: \(String(cString: strerror(code)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw AWSError(.refused, "'\(shown(path))' is no regular file")
        }
        self.path = shown(path)
        self.descriptor = descriptor
        size = UInt64(status.st_size)
    }

    deinit { close(descriptor) }

    /// Exactly `count` bytes; throws when the file has become shorter.
    func read(_ count: Int, at offset: UInt64) async throws -> ByteBuffer {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            var buffer = ByteBufferAllocator().buffer(capacity: count)
            while buffer.readableBytes < count {
                let position = off_t(offset) + off_t(buffer.readableBytes)
                let wanted = count - buffer.readableBytes
                var code: CInt = 0
                let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) {
                    let got = pread(
                        descriptor, $0.baseAddress, min(wanted, $0.count), position)
                    code = errno
                    return max(0, got)
                }
                if got == 0 {
                    if code == EINTR { continue }
                    throw AWSError(
                        .refused,
                        "'\(path)' has become shorter while it was read, or can't be read any more")
                }
            }
            return buffer
        }
    }
}
