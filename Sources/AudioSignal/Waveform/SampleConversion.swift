// SPDX-License-Identifier: Apache-2.0

/// How a float becomes the 16-bit integer that the reference would have seen, eight at a time.
///
/// Full scale is ±1; what lies outside is clamped, and what is no number is 0. Why not `Int32(x)`: it traps
/// on what does not fit and so is never turned into vector code. Instead 1.5 · 2²³ is added, at which a
/// float's last bit stands for 1, so that the addition rounds to the nearest integer and the low bits
/// of the sum are that integer.
protocol SampleConversion {
    static func int16s(_ samples: SIMD8<Float>) -> SIMD8<Int32>
}

private let magic = SIMD8<Float>(repeating: 12_582_912)
private let magicBits = SIMD8<Int32>(repeating: 0x4B40_0000)

extension SIMD8<Float> {
    /// Of whole numbers below 2²² in magnitude.
    @inline(__always) fileprivate var integers: SIMD8<Int32> {
        unsafeBitCast(self + magic, to: SIMD8<Int32>.self) &- magicBits
    }

    @inline(__always) fileprivate var nearest: SIMD8<Float> { (self + magic) - magic }

    /// Between two bounds; what is no number becomes 0.
    @inline(__always) func clamped(_ low: Float, _ high: Float) -> SIMD8<Float> {
        let (lows, highs) = (SIMD8(repeating: low), SIMD8(repeating: high))
        var result = self
        result.replace(with: lows, where: result .< lows)
        result.replace(with: highs, where: result .> highs)
        result.replace(with: SIMD8(repeating: 0), where: result .!= result)
        return result
    }
}

/// Integer PCM of up to 16 bits: the very integer, shifted up.
enum ShortConversion: SampleConversion {
    @inline(__always) static func int16s(_ samples: SIMD8<Float>) -> SIMD8<Int32> {
        (samples * 32_768).clamped(-32_768, 32_767).integers
    }
}

/// Deeper integer PCM: its top 16 bits, which is rounding down.
enum DeepConversion: SampleConversion {
    @inline(__always) static func int16s(_ samples: SIMD8<Float>) -> SIMD8<Int32> {
        // The greatest float below 32,768: rounding down leaves 32,767 of it.
        let scaled = (samples * 32_768).clamped(-32_768, Float(32_768).nextDown)
        let nearest = scaled.nearest
        var whole = nearest
        whole.replace(with: nearest - 1, where: nearest .> scaled)
        return whole.integers
    }
}

/// Floating point PCM: times 32,767, truncated toward zero, of the exact product.
enum FloatConversion: SampleConversion {
    @inline(__always) static func int16s(_ samples: SIMD8<Float>) -> SIMD8<Int32> {
        let clamped = samples.clamped(-1, 1)
        let negative = clamped .< SIMD8<Float>(repeating: 0)
        // Why 0 − x: the prefix minus is not compiled to vector code.
        let zero = SIMD8<Float>(repeating: 0)
        var size = clamped
        size.replace(with: zero - clamped, where: negative)
        let nearest = (size * 32_767).nearest
        // The product is rounded, so it cannot say whether the integer lies above it. But
        // nearest > 32,767·size ⟺ nearest − 32,768·size > −size, whose left side is exact: a multiplication
        // by a power of two, then a difference of neighbours (Sterbenz 1974).
        var whole = nearest
        whole.replace(with: nearest - 1, where: (nearest - size * 32_768) .> (zero - size))
        whole.replace(with: zero - whole, where: negative)
        return whole.integers
    }
}

/// What a lossy decoder computed: times 32,768 and rounded, as decoders to 16 bits do.
enum LossyConversion: SampleConversion {
    @inline(__always) static func int16s(_ samples: SIMD8<Float>) -> SIMD8<Int32> {
        (samples * 32_768).clamped(-32_768, 32_767).integers
    }
}
