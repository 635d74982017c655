// SPDX-License-Identifier: Apache-2.0

/// A second of UTC, as signatures write it: `20130524T000000Z`.
public struct SigningTime: Sendable, Hashable {
    /// Seconds since 1970, without leap seconds.
    public var seconds: Int64

    public init(seconds: Int64) { self.seconds = seconds }

    /// Reads `20130524T000000Z`; nil for anything else.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z")
        else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8),
            let hour = number(9..<11), let minute = number(11..<13), let second = number(13..<15),
            let time = SigningTime(year, month, day, hour, minute, second)
        else { return nil }
        self = time
    }

    /// A second by its parts; nil when there is none (a month 13, a 31st of June).
    package init?(
        _ year: Int64, _ month: Int64, _ day: Int64, _ hour: Int64, _ minute: Int64, _ second: Int64
    ) {
        guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second), (1970...9999).contains(year)
        else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
        seconds = days * 86400 + hour * 3600 + minute * 60 + second
        // Why look back: the 31st of a short month has become a day of the next one.
        guard civil.month == month, civil.day == day || second == 60 else { return nil }
    }

    /// `20130524`: what the signing key holds for.
    public var day: String {
        let civil = civil
        return Self.padded(civil.year, 4) + Self.padded(civil.month, 2) + Self.padded(civil.day, 2)
    }

    /// `20130524T000000Z`.
    public var text: String {
        let rest = seconds - days * 86400
        return day + "T" + Self.padded(rest / 3600, 2) + Self.padded(rest / 60 % 60, 2)
            + Self.padded(rest % 60, 2) + "Z"
    }

    private var days: Int64 { (seconds - (seconds < 0 ? 86399 : 0)) / 86400 }

    /// Days since 1970 as a date of the Gregorian calendar, counted in eras of 400 years from 1 March.
    private var civil: (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        return (
            year + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day
        )
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
