// SPDX-License-Identifier: Apache-2.0

/// Numbers as people say them.
enum Plain {
    /// `40 ms`, `2.5 s`, `12 min`, `3.2 h`, `4 days`.
    static func time(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "for ever" }
        let seconds = max(0, seconds)
        if seconds < 1 { return "\(Int((seconds * 1000).rounded())) ms" }
        if seconds < 90 { return "\(tenths(seconds)) s" }
        if seconds < 5400 { return "\(tenths(seconds / 60)) min" }
        if seconds < 172_800 { return "\(tenths(seconds / 3600)) h" }
        return "\(Int(min(1e9, (seconds / 86_400).rounded()))) days"
    }

    static func percent(_ share: Double) -> String { "\(tenths(share * 100)) %" }

    /// `2.1/s`, or by the minute where that reads better.
    static func rate(_ perSecond: Double) -> String {
        perSecond >= 1 ? "\(tenths(perSecond))/s" : "\(tenths(perSecond * 60))/min"
    }

    static func count(_ number: Int, _ one: String) -> String {
        "\(number) \(one)\(number == 1 ? "" : "s")"
    }

    /// One digit behind the point below 10, none above.
    private static func tenths(_ value: Double) -> String {
        let value = min(value, 1e15)
        if value >= 9.95 { return "\(Int(value.rounded()))" }
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
