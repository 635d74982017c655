// SPDX-License-Identifier: Apache-2.0

/// A reproducible stream of random numbers (SplitMix64: Steele, Lea, Flood 2014), one per device and
/// purpose, so that adding a device or switching an extra on changes no other draw.
struct RandomStream {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64, device: Int, purpose: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(device) &* 0xD1B5_4A32_D192_ED03
        state = state &+ purpose &* 0x8CB9_2BA7_2F3D_8DD7
        for _ in 0..<4 { _ = next() }
        state = next()
    }

    mutating func next() -> UInt64 {
        state = state &+ 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Uniform in (0, 1).
    mutating func unit() -> Double { (Double(next() >> 11) + 0.5) / 9_007_199_254_740_992 }

    mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

    mutating func below(_ count: Int) -> Int { min(count - 1, Int(unit() * Double(count))) }

    mutating func isTrue(_ probability: Double) -> Bool { unit() < probability }

    /// Standard normal (Box and Muller 1958).
    mutating func normal() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        let radius = (-2 * Maths.log(unit())).squareRoot()
        let angle = 2 * Double.pi * unit()
        spare = radius * Maths.cos(angle - Double.pi / 2)
        return radius * Maths.cos(angle)
    }

    mutating func logNormal(_ median: Double, _ deviation: Double) -> Double {
        median * Maths.exp(deviation * normal())
    }

    mutating func exponential() -> Double { -Maths.log(unit()) }

    /// Gamma with mean `shape` (Marsaglia and Tsang 2000).
    mutating func gamma(_ shape: Double) -> Double {
        if shape < 1 {
            let boost = Maths.exp(Maths.log(unit()) / shape)
            return gamma(shape + 1) * boost
        }
        let third = shape - 1.0 / 3
        let scale = 1 / (9 * third).squareRoot()
        while true {
            let x = normal()
            let root = 1 + scale * x
            guard root > 0 else { continue }
            let cube = root * root * root
            if Maths.log(unit()) < 0.5 * x * x + third - third * cube + third * Maths.log(cube) {
                return third * cube
            }
        }
    }

    /// Poisson: by products below 30, by transformed rejection above (PTRS: Hörmann 1993).
    mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        if mean < 30 {
            let limit = Maths.exp(-mean)
            var product = unit()
            var count = 0
            while product > limit {
                product *= unit()
                count += 1
            }
            return count
        }
        let root = mean.squareRoot()
        let b = 0.931 + 2.53 * root
        let a = -0.059 + 0.02483 * b
        let inverse = 1.1239 + 1.1328 / (b - 3.4)
        let v = 0.9277 - 3.6224 / (b - 2)
        while true {
            let u = unit() - 0.5
            let w = unit()
            let us = 0.5 - abs(u)
            let k = ((2 * a / us + b) * u + mean + 0.43).rounded(.down)
            if us >= 0.07, w <= v { return Int(k) }
            if k < 0 || (us < 0.013 && w > us) { continue }
            let left = Maths.log(w) + Maths.log(inverse) - Maths.log(a / (us * us) + b)
            if left <= -mean + k * Maths.log(mean) - Maths.logGamma(k + 1) { return Int(k) }
        }
    }

    /// An index drawn with the given weights, which sum to 1.
    mutating func pick(_ weights: [Double]) -> Int {
        var rest = unit()
        for (at, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return at }
        }
        return weights.count - 1
    }
}
