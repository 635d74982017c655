// SPDX-License-Identifier: Apache-2.0

/// Names a point within its key: 48 bits of milliseconds, 16 bits that tell apart those of one.
///
/// The producer gives it, so that sending a point again never makes a second one (I12): by default
/// the time of sending, made to rise; or the point's own time.
public struct PointID: Sendable, Hashable, Comparable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// A moment before 1970 or after the year 10889 is moved to the next one that 48 bits hold.
    public init(_ time: Timestamp, sequence: UInt16 = 0) {
        let time = max(0, min(time.milliseconds, Timestamp.latest.milliseconds))
        rawValue = UInt64(time) << 16 | UInt64(sequence)
    }

    public var time: Timestamp { Timestamp(milliseconds: Int64(rawValue >> 16)) }
    public var sequence: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// The next id; the last one stays itself.
    public var next: PointID { PointID(rawValue: rawValue == .max ? .max : rawValue + 1) }

    /// Older than every other; what a key without points has as its newest.
    public static let none = PointID(rawValue: 0)

    public static func < (left: PointID, right: PointID) -> Bool { left.rawValue < right.rawValue }
}

extension PointID: CustomStringConvertible {
    public var description: String { "\(rawValue >> 16)-\(rawValue & 0xFFFF)" }
}
