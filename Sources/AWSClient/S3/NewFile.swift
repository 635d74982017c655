// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A file that is written from its beginning to its end, off the threads that carry tasks.
final class NewFile: Sendable {
    private let path: String
    private let descriptor: Mutex<CInt>

    /// Makes it; throws when something of that name is there.
    init(_ path: String) throws(AWSError) {
        let made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard made >= 0 else { throw Self.error(path) }
        self.path = path
        descriptor = Mutex(made)
    }

    deinit { close() }

    func write(_ bytes: ByteBuffer) async throws {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            // Why held while writing: nobody closes the number under it.
            try descriptor.withLock { descriptor in
                try bytes.withUnsafeReadableBytes { bytes in
                    var rest = bytes
                    while !rest.isEmpty {
                        let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                        if count < 0 {
                            if errno == EINTR { continue }
                            throw Self.error(path)
                        }
                        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    }
                }
            }
        }
    }

    /// On disk when this returns.
    func finish() async throws {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            try descriptor.withLock { descriptor in
                guard fsync(descriptor) == 0 else { throw Self.error(path) }
            }
        }
        close()
    }

    func remove() {
        close()
        unlink(path)
    }

    private func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { _ = Foundation.close(descriptor) }
            descriptor = -1
        }
    }

    private static func error(_ path: String) -> AWSError {
        let code = errno
        // A full disk may have room later.
        let kind: AWSError.Kind = [ENOSPC, EDQUOT, EIO].contains(code) ? .unavailable : .refused
        return AWSError(
            kind, "'\(shown(path))' can't be written: \(String(cString: strerror(code)))")
    }
}
