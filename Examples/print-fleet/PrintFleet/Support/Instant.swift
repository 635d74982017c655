// SPDX-License-Identifier: Apache-2.0

/// A moment in milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 with `Z` and three decimals.
package struct Instant: Hashable, Comparable, Sendable {
    package var ms: Int64

    /// The first moment that four digits of a year cannot write.
    static let end = Instant(ms: 253_402_300_800_000)

    package init(ms: Int64) { self.ms = ms }

    package init(day: Double) { ms = Int64((day * 86_400_000).rounded()) }

    /// Days since 1970-01-01T00:00:00Z.
    package var day: Double { Double(ms) / 86_400_000 }

    package static func < (left: Instant, right: Instant) -> Bool { left.ms < right.ms }

    /// Reads `2026-11-22T08:30:00.000Z`; nothing else is accepted, so equal moments have equal bytes.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 24, bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] == 0x54,
            bytes[13] == 0x3A, bytes[16] == 0x3A, bytes[19] == 0x2E, bytes[23] == 0x5A
        else { return nil }
        func number(_ from: Int, _ count: Int) -> Int? {
            var value = 0
            for at in from..<from + count {
                let digit = Int(bytes[at]) - 0x30
                guard digit >= 0, digit <= 9 else { return nil }
                value = value * 10 + digit
            }
            return value
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
            let milli = number(20, 3), year >= 1970, (1...12).contains(month), hour < 24,
            minute < 60, second < 60, day >= 1, day <= Self.length(ofMonth: month, year)
        else { return nil }
        let days = Self.days(year, month, day)
        ms = Int64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + Int64(milli)
    }

    package init?(_ text: String) {
        var text = text
        let read = text.withUTF8 { Instant(UnsafeRawBufferPointer($0)) }
        guard let read else { return nil }
        self = read
    }

    package var text: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `2026-11-22`, for tables.
    package var date: String { String(text.prefix(10)) }

    package func write(to bytes: inout [UInt8]) {
        var days = ms / 86_400_000
        var rest = ms % 86_400_000
        if rest < 0 {
            rest += 86_400_000
            days -= 1
        }
        let (year, month, day) = Self.civil(days)
        func put(_ value: Int64, _ digits: Int) {
            var divisor: Int64 = 1
            for _ in 1..<digits { divisor *= 10 }
            while divisor > 0 {
                bytes.append(UInt8(0x30 + value / divisor % 10))
                divisor /= 10
            }
        }
        put(year, 4)
        bytes.append(0x2D)
        put(month, 2)
        bytes.append(0x2D)
        put(day, 2)
        bytes.append(0x54)
        put(rest / 3_600_000, 2)
        bytes.append(0x3A)
        put(rest / 60_000 % 60, 2)
        bytes.append(0x3A)
        put(rest / 1000 % 60, 2)
        bytes.append(0x2E)
        put(rest % 1000, 3)
        bytes.append(0x5A)
    }

    /// 0 = Monday. 1970-01-01 was a Thursday.
    static func weekday(ofDay day: Int) -> Int { ((day + 3) % 7 + 7) % 7 }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        switch month {
        case 2: return isLeap ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }

    /// Days since 1970-01-01 of a date of the Gregorian calendar, counted in eras of 400 years whose
    /// years begin in March, so that the leap day comes last.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        let calendar = month < 10 ? month + 3 : month - 9
        return (year + era * 400 + (calendar <= 2 ? 1 : 0), calendar, day)
    }
}
