// SPDX-License-Identifier: Apache-2.0
import SigV4

/// The date of a header: `Fri, 24 May 2013 00:00:00 GMT` (RFC 9110 §5.6.7, the form that is sent today).
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func parse(_ text: String) -> SigningTime? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int64(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int64(words[3])
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3 else { return nil }
        return SigningTime(year, Int64(month) + 1, day, clock[0], clock[1], clock[2])
    }
}
