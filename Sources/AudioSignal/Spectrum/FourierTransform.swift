// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The discrete Fourier transform of real samples, for one length that is a power of two.
///
/// Cooley and Tukey 1965, in place, radix 2 (the first two stages at once), four butterflies at a time,
/// with the real samples packed as a complex signal of half the length. Makes its tables once; holds no other state, so one can serve many threads.
public struct FourierTransform: Sendable {
    public let length: Int
    /// e^(−2πik/n) for the half length, then for the unpacking.
    private let cosines: [Float]
    private let sines: [Float]
    private let reversed: [Int32]
    /// The stages' factors in the order they are used: for each four butterflies their cosines, then
    /// their sines; those of the stage with a given arm begin at twice the arm.
    private let factors: [Float]

    /// `length` is a power of two from 4 on.
    public init(length: Int) {
        precondition(length >= 4 && length & (length - 1) == 0, "no power of two: \(length)")
        self.length = length
        let half = length / 2
        cosines = (0..<half).map { Float(cos(2 * Double.pi * Double($0) / Double(length))) }
        sines = (0..<half).map { Float(-sin(2 * Double.pi * Double($0) / Double(length))) }
        var factors = [Float](repeating: 0, count: 2 * half)
        var arm = 4
        while arm < half {
            for k in 0..<arm {
                let (place, step) = (2 * (arm + k / 4 * 4) + k % 4, length / (2 * arm))
                (factors[place], factors[place + 4]) = (cosines[k * step], sines[k * step])
            }
            arm *= 2
        }
        self.factors = factors
        let bits = half.trailingZeroBitCount
        reversed = (0..<half).map { index in
            var (rest, turned) = (index, 0)
            for _ in 0..<bits { (rest, turned) = (rest >> 1, turned << 1 | rest & 1) }
            return Int32(turned)
        }
    }

    /// Writes |X(k)|² for k from 0 to half the length: `length` samples in, `length / 2 + 1` out.
    public func power(
        of samples: UnsafeBufferPointer<Float>, into power: UnsafeMutableBufferPointer<Float>
    ) {
        let half = length / 2
        precondition(samples.count == length && power.count == half + 1)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { work in
            let re = UnsafeMutableBufferPointer(rebasing: work[..<half])
            let im = UnsafeMutableBufferPointer(rebasing: work[half...])
            transform(samples, re, im)
            power[0] = (re[0] + im[0]) * (re[0] + im[0])
            power[half] = (re[0] - im[0]) * (re[0] - im[0])
            for k in 1..<half {
                let (x, y) = unpacked(k, re, im)
                power[k] = x * x + y * y
            }
        }
    }

    /// Writes X(k) for k from 0 to half the length: `length` samples in, `length / 2 + 1` of each part out.
    public func spectrum(
        of samples: UnsafeBufferPointer<Float>, re: UnsafeMutableBufferPointer<Float>,
        im: UnsafeMutableBufferPointer<Float>
    ) {
        let half = length / 2
        precondition(samples.count == length && re.count == half + 1 && im.count == half + 1)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { work in
            let workRe = UnsafeMutableBufferPointer(rebasing: work[..<half])
            let workIm = UnsafeMutableBufferPointer(rebasing: work[half...])
            transform(samples, workRe, workIm)
            (re[0], im[0]) = (workRe[0] + workIm[0], 0)
            (re[half], im[half]) = (workRe[0] - workIm[0], 0)
            for k in 1..<half { (re[k], im[k]) = unpacked(k, workRe, workIm) }
        }
    }

    /// X(k) out of the transform of the packed signal Z: (Z(k) + Z*(n−k)) / 2 − i·w(k)·(Z(k) − Z*(n−k)) / 2.
    private func unpacked(
        _ k: Int, _ re: UnsafeMutableBufferPointer<Float>, _ im: UnsafeMutableBufferPointer<Float>
    ) -> (Float, Float) {
        let other = length / 2 - k
        let (sumRe, sumIm) = (0.5 * (re[k] + re[other]), 0.5 * (im[k] - im[other]))
        let (difRe, difIm) = (0.5 * (re[k] - re[other]), 0.5 * (im[k] + im[other]))
        // −i·(c + is)·(a + ib) = (c·b + s·a) + i·(s·b − c·a)
        let (c, s) = (cosines[k], sines[k])
        return (sumRe + c * difIm + s * difRe, sumIm + s * difIm - c * difRe)
    }

    private func transform(
        _ samples: UnsafeBufferPointer<Float>, _ re: UnsafeMutableBufferPointer<Float>,
        _ im: UnsafeMutableBufferPointer<Float>
    ) {
        let half = length / 2
        for index in 0..<half {
            let target = Int(reversed[index])
            re[target] = samples[2 * index]
            im[target] = samples[2 * index + 1]
        }
        guard half >= 4 else { return pairs(re, im) }
        fours(re, im)
        var arm = 4
        while arm < half {
            butterflies(arm, re, im)
            arm *= 2
        }
    }

    /// The only stage of a half length of two.
    private func pairs(
        _ re: UnsafeMutableBufferPointer<Float>, _ im: UnsafeMutableBufferPointer<Float>
    ) {
        (re[0], re[1]) = (re[0] + re[1], re[0] - re[1])
        (im[0], im[1]) = (im[0] + im[1], im[0] - im[1])
    }

    /// The first two stages at once: their factors are 1 and −i, so nothing is multiplied.
    private func fours(
        _ re: UnsafeMutableBufferPointer<Float>, _ im: UnsafeMutableBufferPointer<Float>
    ) {
        for at in stride(from: 0, to: re.count, by: 4) {
            let (a, b) = (re[at] + re[at + 1], re[at] - re[at + 1])
            let (c, d) = (re[at + 2] + re[at + 3], re[at + 2] - re[at + 3])
            let (e, f) = (im[at] + im[at + 1], im[at] - im[at + 1])
            let (g, h) = (im[at + 2] + im[at + 3], im[at + 2] - im[at + 3])
            (re[at], re[at + 1], re[at + 2], re[at + 3]) = (a + c, b + h, a - c, b - h)
            (im[at], im[at + 1], im[at + 2], im[at + 3]) = (e + g, f - d, e - g, f + d)
        }
    }

    /// One stage, four butterflies at a time: `arm` is a multiple of four.
    private func butterflies(
        _ arm: Int, _ re: UnsafeMutableBufferPointer<Float>,
        _ im: UnsafeMutableBufferPointer<Float>
    ) {
        factors.withUnsafeBytes { factors in
            let (re, im) = (UnsafeMutableRawBufferPointer(re), UnsafeMutableRawBufferPointer(im))
            func load(_ bytes: UnsafeMutableRawBufferPointer, _ index: Int) -> SIMD4<Float> {
                bytes.loadUnaligned(fromByteOffset: 4 * index, as: SIMD4<Float>.self)
            }
            func store(
                _ value: SIMD4<Float>, _ bytes: UnsafeMutableRawBufferPointer, _ index: Int
            ) {
                bytes.storeBytes(of: value, toByteOffset: 4 * index, as: SIMD4<Float>.self)
            }
            for start in stride(from: 0, to: length / 2, by: 2 * arm) {
                for k in stride(from: 0, to: arm, by: 4) {
                    let c = factors.loadUnaligned(
                        fromByteOffset: 8 * (arm + k), as: SIMD4<Float>.self)
                    let s = factors.loadUnaligned(
                        fromByteOffset: 8 * (arm + k) + 16, as: SIMD4<Float>.self)
                    let (a, b) = (start + k, start + k + arm)
                    let (bRe, bIm) = (load(re, b), load(im, b))
                    let (aRe, aIm) = (load(re, a), load(im, a))
                    let x = bRe * c - bIm * s
                    let y = bRe * s + bIm * c
                    store(aRe + x, re, a)
                    store(aIm + y, im, a)
                    store(aRe - x, re, b)
                    store(aIm - y, im, b)
                }
            }
        }
    }
}
