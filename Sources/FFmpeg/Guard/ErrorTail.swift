// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What a tool writes to standard error: the last 4 KiB are kept, and packets that failed are counted.
package struct ErrorTail: Sendable {
    package static let limit = 4096
    /// Of a line only its beginning is looked at.
    private static let lineLimit = 256

    /// At most twice the limit, cut back when full: so a byte is moved once.
    private var kept: [UInt8] = []
    private var line: [UInt8] = []
    package private(set) var decodeErrors = 0

    package init() {
        kept.reserveCapacity(2 * Self.limit)
        line.reserveCapacity(Self.lineLimit)
    }

    package mutating func add(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { buffer in
            for byte in buffer {
                if byte == 0x0A {
                    endLine()
                } else if line.count < Self.lineLimit {
                    line.append(byte)
                }
            }
            for byte in buffer.suffix(Self.limit) {
                if kept.count == 2 * Self.limit { kept.removeFirst(Self.limit) }
                kept.append(byte)
            }
        }
    }

    /// The kept end; hostile text.
    package var text: String { String(decoding: kept.suffix(Self.limit), as: UTF8.self) }

    private mutating func endLine() {
        // Before ffmpeg 6 the first, since then the second; one for each packet.
        if line.starts(with: "Error while decoding stream".utf8)
            || line.starts(with: "Error submitting packet to decoder".utf8)
            || Self.contains(line, "Error submitting packet to decoder")
        {
            decodeErrors += 1
        }
        line.removeAll(keepingCapacity: true)
    }

    private static func contains(_ line: [UInt8], _ text: StaticString) -> Bool {
        let needle = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard line.count >= needle.count else { return false }
        return (0...(line.count - needle.count)).contains { line[$0...].starts(with: needle) }
    }
}

/// An ``ErrorTail`` that the draining task writes and the judge reads.
package final class ErrorLog: Sendable {
    private let tail = Mutex(ErrorTail())
    package init() {}
    package func add(_ bytes: RawSpan) { tail.withLock { $0.add(bytes) } }
    package var text: String { tail.withLock { $0.text } }
    package var decodeErrors: Int { tail.withLock { $0.decodeErrors } }
}
