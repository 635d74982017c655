// SPDX-License-Identifier: Apache-2.0

/// A fast generator (xoshiro256**, Blackman and Vigna 2018), seeded from the system's or by hand.
///
/// The system generator asks the kernel for every number; ids, nonces and jitter need many and no
/// secrecy. A seed makes a test run repeatable.
package struct Xoshiro: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init() {
        var system = SystemRandomNumberGenerator()
        state = (system.next(), system.next(), system.next(), system.next() | 1)
    }

    /// Spreads one seed over the state with SplitMix64 (Steele, Lea and Flood 2014).
    package init(seed: UInt64) {
        var word = seed
        func split() -> UInt64 {
            word &+= 0x9E37_79B9_7F4A_7C15
            var mixed = word
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
        state = (split(), split(), split(), split())
    }

    package mutating func next() -> UInt64 {
        let product = state.1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }
}
