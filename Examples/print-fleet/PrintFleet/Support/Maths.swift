// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The functions of libm that the models use. Why one place: nothing else here needs the platform.
enum Maths {
    @inline(__always) static func exp(_ x: Double) -> Double { exponential(x) }
    @inline(__always) static func log(_ x: Double) -> Double { logarithm(x) }
    @inline(__always) static func cos(_ x: Double) -> Double { cosine(x) }

    /// A whole number within bounds. Why not `Int(value)`: it traps on what a hostile device can make
    /// of its counters, a number beyond 2^63 or none at all; that one becomes the lower bound.
    static func count(_ value: Double, in range: ClosedRange<Int>) -> Int {
        guard value > Double(range.lowerBound) else { return range.lowerBound }
        guard value < Double(range.upperBound) else { return range.upperBound }
        return Int(value)
    }

    /// ln Γ(x) for x > 0, by Stirling's series after shifting x above 7. Error below 1e-10.
    /// Why not `lgamma`: the C function writes a global sign and is not safe between threads.
    static func logGamma(_ value: Double) -> Double {
        var x = value
        var shift = 1.0
        while x < 7 {
            shift *= x
            x += 1
        }
        let inverse = 1 / x
        let square = inverse * inverse
        let series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260)))
        return (x - 0.5) * log(x) - x + 0.918_938_533_204_672_7 + series - log(shift)
    }
}

private func exponential(_ x: Double) -> Double { exp(x) }
private func logarithm(_ x: Double) -> Double { log(x) }
private func cosine(_ x: Double) -> Double { cos(x) }
