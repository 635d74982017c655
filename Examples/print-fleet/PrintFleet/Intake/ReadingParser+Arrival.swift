// SPDX-License-Identifier: Apache-2.0

extension ReadingParser {
    /// How far ahead of its arrival a reading may lie, in milliseconds.
    package static let skewLimit: Int64 = 3_600_000

    /// Reads a line that arrived at `now`.
    ///
    /// The only place where a clock of ours is looked at: a reading from the future would make all
    /// that its device says until then late, so it is refused here. What is taken in knows no arrival.
    package static func parse(
        _ line: UnsafeRawBufferPointer, arrivedAt now: Instant
    ) throws(RejectReason) -> Reading {
        let reading = try parse(line)
        let ahead = reading.time.ms - now.ms
        guard ahead <= skewLimit else { throw .clockSkew(ahead: ahead) }
        return reading
    }
}
