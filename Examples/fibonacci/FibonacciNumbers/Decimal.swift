// SPDX-License-Identifier: Apache-2.0
package import BigInt

/// Decimal digits of large numbers, by halves.
///
/// BigInt's own `description` divides by 10¹⁹ once for every 19 digits, each time through the whole number. Halving by
/// powers of ten first (Knuth, The Art of Computer Programming 2, §4.4) leaves it short pieces.
package enum Decimal {
    /// Digits of the shortest pieces.
    private static let piece = 608

    package static func text(_ number: BigUInt) -> String {
        // 10^piece, its square, the square of that: the last one is the first above √number.
        var powers: [BigUInt] = []
        var power = BigUInt(10).power(piece)
        while power <= number {
            powers.append(power)
            power *= power
        }
        var text = ""
        append(number, powers[...], padded: nil, to: &text)
        return text
    }

    /// Appends a number below the square of the last power; `padded` to so many digits by zeros before it.
    private static func append(
        _ number: BigUInt, _ powers: ArraySlice<BigUInt>, padded: Int?, to text: inout String
    ) {
        guard let power = powers.last else {
            let digits = "\(number)"
            text +=
                String(repeating: "0", count: max(0, (padded ?? 0) - digits.utf8.count)) + digits
            return
        }
        let rest = powers.dropLast()
        let width = piece << rest.count
        let (high, low) = number.quotientAndRemainder(dividingBy: power)
        guard high > 0 || padded != nil else {
            return append(low, rest, padded: nil, to: &text)
        }
        append(high, rest, padded: padded.map { $0 - width }, to: &text)
        append(low, rest, padded: width, to: &text)
    }
}
