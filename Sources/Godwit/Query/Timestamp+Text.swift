// SPDX-License-Identifier: Apache-2.0

/// ISO 8601 without Foundation: `2026-11-22`, `2026-11-22T09:30Z`, `2026-11-22T09:30:05.250+01:00`.
///
/// Days are counted by H. Hinnant's algorithms (https://howardhinnant.github.io/date_algorithms.html).
extension Timestamp {
    /// Reads a date, which begins in UTC, or a date with a time and its zone. Nil for anything else
    /// and for what is outside of the years 0000 to 9999.
    package init?(iso8601 text: String) {
        var digits = Digits(rest: Array(text.utf8)[...])
        guard let year = digits.number(4), digits.take("-"), let month = digits.number(2),
            digits.take("-"), let day = digits.number(2), (1...12).contains(month)
        else { return nil }
        let days = Self.days(year, month, day)
        guard Self.civil(days) == (year, month, day) else { return nil }
        var milliseconds = days * 86_400_000
        if !digits.rest.isEmpty {
            guard digits.take("T") || digits.take("t"), let hour = digits.number(2),
                digits.take(":"), let minute = digits.number(2), hour < 24, minute < 60
            else { return nil }
            milliseconds += (hour * 60 + minute) * 60_000
            if digits.take(":") {
                guard let second = digits.number(2), second < 60 else { return nil }
                milliseconds += second * 1000
                if digits.take(".") {
                    guard let fraction = digits.fraction() else { return nil }
                    milliseconds += fraction
                }
            }
            guard let zone = digits.zone() else { return nil }
            milliseconds -= zone * 60_000
        }
        guard Self.written.contains(milliseconds) else { return nil }
        self.init(milliseconds: milliseconds)
    }

    /// The shortest form that ``init(iso8601:)`` reads as the same moment; nil when there is none.
    package var shortISO8601: String? {
        guard Self.written.contains(milliseconds) else { return nil }
        let days = Int64((Double(milliseconds) / 86_400_000).rounded(.down))
        let (year, month, day) = Self.civil(days)
        func padded(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let time = milliseconds - days * 86_400_000
        if time == 0 { return date }
        var text = "\(date)T\(padded(time / 3_600_000, 2)):\(padded(time / 60_000 % 60, 2))"
        let (second, rest) = (time / 1000 % 60, time % 1000)
        if second != 0 || rest != 0 { text += ":\(padded(second, 2))" }
        if rest != 0 {
            var fraction = padded(rest, 3)
            while fraction.last == "0" { fraction.removeLast() }
            text += ".\(fraction)"
        }
        return text + "Z"
    }

    /// 0000-01-01 to the end of 9999.
    package static let written: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let days = days + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private struct Digits {
        var rest: ArraySlice<UInt8>

        mutating func take(_ sign: Unicode.Scalar) -> Bool {
            guard let byte = rest.first, UInt32(byte) == sign.value else { return false }
            rest = rest.dropFirst()
            return true
        }

        mutating func number(_ count: Int) -> Int64? {
            guard rest.count >= count else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(count) {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            rest = rest.dropFirst(count)
            return value
        }

        /// 1 to 9 digits, cut to milliseconds.
        mutating func fraction() -> Int64? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count) else { return nil }
            rest = rest.dropFirst(digits.count)
            return (Array(digits) + [0x30, 0x30]).prefix(3).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }

        /// Minutes east of UTC; the text ends behind it.
        mutating func zone() -> Int64? {
            if take("Z") || take("z") { return rest.isEmpty ? 0 : nil }
            let isWest = take("-")
            guard isWest || take("+"), let hours = number(2), take(":"), let minutes = number(2),
                rest.isEmpty, hours < 24, minutes < 60
            else { return nil }
            return (isWest ? -1 : 1) * (hours * 60 + minutes)
        }
    }
}
