// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A moment as MessagePack writes it: extension type -1, seconds since 1970 plus nanoseconds.
///
/// Format: spec.md, "Timestamp extension type". The smallest of its three forms is written: 4 bytes
/// of seconds, 30 + 34 bits, or 32 + 64 bits.
public struct MessagePackTimestamp: Sendable, Hashable {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down, so negative before it.
    public let seconds: Int64
    /// 0 ..< 1,000,000,000, always counted forwards.
    public let nanoseconds: UInt32

    /// Nil when `nanoseconds` is a second or more.
    public init?(seconds: Int64, nanoseconds: UInt32) {
        guard nanoseconds < 1_000_000_000 else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    init(seconds: Int64, checkedNanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = checkedNanoseconds
    }
}

/// Seconds from 1970 to 2001, where a `Date` counts from.
private let reference: Int64 = 978_307_200

extension MessagePackTimestamp {
    /// Rounds to the nanosecond; nil when the date is not finite or out of 64 bits of seconds.
    ///
    /// Why from 2001: a `Date` is a `Double` counted from there, so its seconds split exactly and
    /// any date half a year or more away from 2001 comes back equal.
    init?(_ date: Date) {
        let interval = date.timeIntervalSinceReferenceDate
        let floor = interval.rounded(.down)
        guard let whole = Int64(exactly: floor) else { return nil }
        var (seconds, overflow) = whole.addingReportingOverflow(reference)
        guard !overflow else { return nil }
        var nanoseconds = ((interval - floor) * 1e9).rounded()
        if nanoseconds >= 1e9 {
            (seconds, overflow) = seconds.addingReportingOverflow(1)
            guard !overflow else { return nil }
            nanoseconds = 0
        }
        self.init(seconds: seconds, checkedNanoseconds: UInt32(nanoseconds))
    }

    /// The nearest `Date`.
    var date: Date {
        let fraction = Double(nanoseconds) / 1e9
        let (whole, overflow) = seconds.subtractingReportingOverflow(reference)
        let since2001 = overflow ? Double(seconds) - Double(reference) : Double(whole)
        return Date(timeIntervalSinceReferenceDate: since2001 + fraction)
    }
}
