// SPDX-License-Identifier: Apache-2.0

/// Numbers that look random and are the same for a seed on every machine: SplitMix64 (Steele, Lea and
/// Flood 2014).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func between(_ low: Double, _ high: Double) -> Double {
        low + (high - low) * Double(next() >> 11) / Double(1 << 53)
    }

    /// From −1 to 1.
    mutating func noise() -> Float {
        Float(Int32(truncatingIfNeeded: next() >> 32)) / Float(1 << 31)
    }
}
