// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// How moments are printed.
enum TimeStyle: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// From now: `3m12s ago`; in JSON and TSV like iso, because it would be old when read.
    case relative
    /// ISO 8601 in UTC with milliseconds.
    case iso
    /// Seconds since 1970, with milliseconds behind the point.
    case unix
}

extension Timestamp {
    /// The moment on this machine's clock; for texts only, never for a store (I4).
    static var here: Timestamp { Timestamp(Date()) }

    /// ISO 8601 with milliseconds. Why by hand: Foundation's formatter loads for longer than a list
    /// of queues takes. Days to dates: http://howardhinnant.github.io/date_algorithms.html.
    var text: String {
        let (days, millisecond) = milliseconds.quotientFloored(by: 86_400_000)
        let shifted = days + 719_468
        let era = shifted.quotientFloored(by: 146_097).0
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let moved = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * moved + 2) / 5 + 1
        let month = moved < 10 ? moved + 3 : moved - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let fraction = millisecond % 1000
        let second = millisecond / 1000
        let zeros = fraction < 10 ? "00" : fraction < 100 ? "0" : ""
        let digits = "\(year)"
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            + "-\(two(month))-\(two(day))T\(two(second / 3600)):\(two(second / 60 % 60))"
            + ":\(two(second % 60)).\(zeros)\(fraction)Z"
    }

    var unixText: String {
        let (seconds, rest) = milliseconds.quotientFloored(by: 1000)
        return "\(seconds)." + (rest < 10 ? "00" : rest < 100 ? "0" : "") + "\(rest)"
    }

    func text(_ style: TimeStyle, now: Timestamp) -> String {
        switch style {
        case .iso: return text
        case .unix: return unixText
        case .relative:
            let age = now - self
            if abs(age.wholeMilliseconds) < 1000 { return "now" }
            return age < .zero ? "in " + (.zero - age).brief : age.brief + " ago"
        }
    }
}

extension Int64 {
    fileprivate func quotientFloored(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }
}
