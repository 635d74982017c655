// SPDX-License-Identifier: Apache-2.0
import Crypto
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One file to read.
struct DigestFile: Job {
    static let name = "file.digest"
    let path: String
}

/// What was found in a file: one line of the results.
struct FileDigest: Codable, Sendable {
    /// The message's id: the same in every run of it, so that a repeat is recognised.
    let id: MessageID
    let path: String
    let bytes: Int
    let lines: Int
    let sha256: String
}

extension DigestFile {
    /// Reads the file once, 64 KiB at a time, whatever its size.
    ///
    /// Throws ``Godwit/Verdict/reject(_:)`` for a file that can't be read: another try won't help.
    func digest(id: MessageID) throws -> FileDigest {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(errno) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw unreadable(errno) }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw Verdict.reject("\(path): not a regular file")
        }
        var hash = SHA256()
        var bytes = 0
        var lines = 0
        try withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw unreadable(errno) }
                if count == 0 { break }
                let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                hash.update(bufferPointer: piece)
                bytes += count
                lines += piece.count { $0 == UInt8(ascii: "\n") }
            }
        }
        return FileDigest(
            id: id, path: path, bytes: bytes, lines: lines, sha256: hash.finalize().hex)
    }

    private func unreadable(_ code: Int32) -> Verdict {
        .reject("\(path): \(String(cString: strerror(code)))")
    }
}

extension SHA256Digest {
    var hex: String {
        let digits = Array("0123456789abcdef")
        return String(flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
