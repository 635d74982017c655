// SPDX-License-Identifier: Apache-2.0

extension Duration {
    /// Reads a length of time as people type it: a number and ms, s, m, h or d; nil for all else.
    init?(typed text: String) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let milliseconds: Double? =
            switch text[digits.endIndex...] {
            case "ms": 1
            case "s": 1000
            case "m": 60_000
            case "h": 3_600_000
            case "d": 86_400_000
            default: nil
            }
        guard let milliseconds, let number = Double(digits), number.isFinite else { return nil }
        let total = (number * milliseconds).rounded()
        // Why a bound: ten years are beyond any lease or delay, and keep all arithmetic safe.
        guard total <= 10 * 366 * 86_400_000 else { return nil }
        self = .milliseconds(Int64(total))
    }

    /// The length in the largest unit that keeps it readable.
    var brief: String {
        let (seconds, attoseconds) = components
        let total = Double(seconds) + Double(attoseconds) / 1e18
        switch total {
        case ..<0: return "-" + (.zero - self).brief
        case ..<1: return "\(Int((total * 1000).rounded()))ms"
        case ..<60: return "\((total * 10).rounded() / 10)s"
        case ..<3600: return "\(Int(total) / 60)m\(Int(total) % 60)s"
        case ..<86_400: return "\(Int(total) / 3600)h\(Int(total) % 3600 / 60)m"
        default: return "\(Int(total) / 86_400)d\(Int(total) % 86_400 / 3600)h"
        }
    }
}
