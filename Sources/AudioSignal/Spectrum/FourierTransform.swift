// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The discrete Fourier transform of real samples, for one length that is a power of two.
///
/// Cooley and Tukey 1965, in place, radix 2, with the real samples packed as a complex signal of half
/// the length. Makes its tables once; holds no other state, so one can serve many threads.
public struct FourierTransform: Sendable {
    public let length: Int
    /// e^(−2πik/n) for the half length, then for the unpacking.
    private let cosines: [Float]
    private let sines: [Float]
    private let reversed: [Int32]

    /// `length` is a power of two from 4 on.
    public init(length: Int) {
        precondition(length >= 4 && length & (length - 1) == 0, "no power of two: \(length)")
        self.length = length
        let half = length / 2
        cosines = (0..<half).map { Float(cos(2 * Double.pi * Double($0) / Double(length))) }
        sines = (0..<half).map { Float(-sin(2 * Double.pi * Double($0) / Double(length))) }
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
        var size = 2
        while size <= half {
            let (arm, step) = (size / 2, length / size)
            for start in stride(from: 0, to: half, by: size) {
                for k in 0..<arm {
                    let (c, s) = (cosines[k * step], sines[k * step])
                    let (a, b) = (start + k, start + k + arm)
                    let x = re[b] * c - im[b] * s
                    let y = re[b] * s + im[b] * c
                    (re[b], im[b]) = (re[a] - x, im[a] - y)
                    (re[a], im[a]) = (re[a] + x, im[a] + y)
                }
            }
            size *= 2
        }
    }
}
