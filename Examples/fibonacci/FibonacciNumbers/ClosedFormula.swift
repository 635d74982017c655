// SPDX-License-Identifier: Apache-2.0
package import BigInt

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The closed formula F(n) = (φⁿ − ψⁿ) ÷ √5 (de Moivre, Binet) in `Double`, which has 53 bits for the digits.
package enum ClosedFormula {
    /// How a whole number is made of the formula's value.
    package enum Rounding: String, Sendable, CaseIterable, Codable {
        case nearest
        case truncated
    }

    /// A number that the formula gets wrong.
    package struct Mistake: Sendable, Hashable {
        package let n: Int
        package let exact: BigUInt
        package let formula: BigUInt
    }

    private static let root = 5.0.squareRoot()
    private static let phi = (1 + root) / 2
    private static let psi = (1 - root) / 2

    /// What the formula says; infinite from ``firstInfinite`` on.
    package static func value(_ n: Int) -> Double {
        (pow(phi, Double(n)) - pow(psi, Double(n))) / root
    }

    /// The value as a whole number; nil when it is infinite.
    package static func whole(_ n: Int, _ rounding: Rounding) -> BigUInt? {
        let value = value(n)
        guard value.isFinite else { return nil }
        return BigUInt(rounding == .nearest ? value.rounded() : value.rounded(.down))
    }

    /// The first n at which it differs from the sum of the two numbers before.
    package static func firstMistake(_ rounding: Rounding) -> Mistake? {
        for (n, exact) in FibonacciSequence().enumerated() {
            // It ends far earlier: 53 bits hold every number up to F(78) and few behind it.
            guard let formula = whole(n, rounding) else { return nil }
            if formula != exact { return Mistake(n: n, exact: exact, formula: formula) }
        }
        return nil
    }

    /// The first n for which a `Double` has no room at all.
    package static let firstInfinite = (0...).first { !value($0).isFinite } ?? 0
}
