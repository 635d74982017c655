// SPDX-License-Identifier: Apache-2.0

/// Reads what `-progress` writes: lines `key=value`, of which `out_time_us` counts.
///
/// (`out_time_ms` is in microseconds as well: an old slip that ffmpeg keeps.)
package struct ProgressReader: Sendable {
    private static let lineLimit = 128
    private var line: [UInt8] = []
    /// Microseconds that are written.
    package private(set) var written: Int64 = 0

    package init() {}

    /// Whether more is written than was before these bytes came.
    package mutating func add(_ bytes: RawSpan) -> Bool {
        let before = written
        bytes.withUnsafeBytes { buffer in
            for byte in buffer {
                if byte == 0x0A {
                    take()
                } else if line.count < Self.lineLimit {
                    line.append(byte)
                }
            }
        }
        return written > before
    }

    private mutating func take() {
        let key = Array("out_time_us=".utf8)
        if line.starts(with: key),
            let value = Int64(String(decoding: line.dropFirst(key.count), as: UTF8.self))
        {
            written = max(written, value)
        }
        line.removeAll(keepingCapacity: true)
    }
}
