// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A moment on the store's clock, in milliseconds since 1970 (UTC).
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The moment of a `Date`, cut to milliseconds; a date out of range becomes the nearest moment.
    public init(_ date: Date) {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded(.down)
        self.milliseconds = milliseconds.isNaN ? 0 : Int64(max(-9e15, min(9e15, milliseconds)))
    }

    public var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// What does not fit becomes the nearest moment: an endless timeout is never in the past.
    public static func + (left: Timestamp, right: Duration) -> Timestamp {
        let right = right.milliseconds
        let (sum, isOver) = left.milliseconds.addingReportingOverflow(right)
        return Timestamp(milliseconds: isOver ? (right < 0 ? .min : .max) : sum)
    }

    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        let (difference, isOver) = left.milliseconds.subtractingReportingOverflow(
            right.milliseconds)
        return .milliseconds(isOver ? (left < right ? .min : .max) : difference)
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero; what does not fit is clamped.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? .min : .max }
        return product &+ attoseconds / 1_000_000_000_000_000
    }
}
