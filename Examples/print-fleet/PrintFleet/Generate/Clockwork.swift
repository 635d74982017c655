// SPDX-License-Identifier: Apache-2.0

/// When pages leave the printer: evenly between 08:00 and 17:30 of a day.
enum Clockwork {
    static let opens = 8.0 / 24
    static let closes = 17.5 / 24

    /// The share of a day's pages that is out by `fraction` of the day.
    static func share(_ fraction: Double) -> Double {
        min(1, max(0, (fraction - opens) / (closes - opens)))
    }

    /// The fraction of the day at which `share` of its pages is out.
    static func fraction(_ share: Double) -> Double { opens + share * (closes - opens) }
}
