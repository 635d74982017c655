// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Lines of a file or of stdin, read in pieces: memory for one line and one piece at a time.
struct LineSource: ~Copyable, Sendable {
    private let descriptor: Int32
    private let name: String
    private var buffer: [UInt8] = []
    private var start = 0
    private var hasEnded = false
    private var line: [UInt8]?
    private var number = 0

    /// Opens a file, or stdin for `-`.
    init(_ path: String) throws {
        if path == "-" {
            descriptor = 0
            name = "stdin"
            return
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        name = path
        guard descriptor >= 0 else {
            throw Failure(
                .noInput,
                """
                the file '\(path)' can't be read: \(String(cString: strerror(errno))). Nothing was \
                enqueued. Check its path and rights, or give - for stdin.
                """)
        }
    }

    deinit { if descriptor > 0 { close(descriptor) } }

    /// The next line without its newline, as often as asked; nil at the end.
    mutating func peek(limit: Int) throws -> [UInt8]? {
        if let line { return line }
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                line = Array(buffer[start..<end])
                start = end + 1
                return line
            }
            if hasEnded {
                guard start < buffer.count else { return nil }
                line = Array(buffer[start...])
                start = buffer.count
                return line
            }
            guard buffer.count - start <= limit else {
                throw Failure(
                    .data,
                    """
                    line \(number + 1) of \(name) is longer than the \(limit) bytes the broker takes. \
                    It and what follows were not enqueued.
                    """)
            }
            searched = buffer.count - start
            try fill()
        }
    }

    /// Goes on to the next line.
    mutating func take() {
        line = nil
        number += 1
    }

    /// Everything, up to `limit` bytes.
    mutating func all(limit: Int) throws -> [UInt8] {
        while !hasEnded, buffer.count < limit { try fill() }
        return Array(buffer.prefix(limit))
    }

    private mutating func fill() throws {
        buffer.removeFirst(start)
        start = 0
        let piece = 256 << 10
        let old = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: piece))
        var count = -1
        repeat {
            count = buffer.withUnsafeMutableBytes { bytes in
                read(descriptor, bytes.baseAddress?.advanced(by: old), piece)
            }
        } while count < 0 && errno == EINTR
        buffer.removeLast(piece - max(0, count))
        guard count >= 0 else {
            throw Failure(.io, "\(name) can't be read: \(String(cString: strerror(errno))).")
        }
        hasEnded = count == 0
    }
}
