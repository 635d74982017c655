// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Looks between the samples: interpolation to four times the rate, after ITU-R BS.1770-5, Annex 2.
///
/// Three phases of a windowed sinc (¼, ½ and ¾ of the way; the fourth is the sample itself). ¼ and
/// ¾ are mirror images, so with sums s and differences d of samples at equal distance both come from
/// E = Σ e·s and O = Σ o·d as E + O and E − O, of which the greater magnitude is |E| + |O|; ½ needs the same
/// sums only. That is half the multiplications, done for eight frames at a time.
struct TruePeakFilter: Sendable {
    /// Samples to each side of the point sought.
    static let reach = 12
    /// Samples before the first new one that a call needs.
    static let history = 2 * reach - 1
    /// Where new samples start in a line; aligned, with room for the history before.
    static let start = 24
    /// Frames of a block that is looked at or skipped as one.
    private static let block = 32
    private typealias Lanes = SIMD8<Float>

    /// e, o and the taps of ½, by pair of samples from the outside in.
    private let even: [Float]
    private let odd: [Float]
    private let half: [Float]
    /// What a sample can grow to at most: the greatest Σ|tap| of the phases, and a little for rounding.
    let growth: Float

    init() {
        let reach = Self.reach
        func taps(_ phase: Double) -> [Double] {
            let raw = (0..<2 * reach).map { index in
                let x = Double(index - (reach - 1)) - phase
                return sin(.pi * x) / (.pi * x) * Self.window(x / Double(reach))
            }
            // A constant stays what it is.
            let sum = raw.reduce(0, +)
            return raw.map { $0 / sum }
        }
        let (quarter, middle) = (taps(0.25), taps(0.5))
        even = (0..<reach).map { Float((quarter[$0] + quarter[2 * reach - 1 - $0]) / 2) }
        odd = (0..<reach).map { Float((quarter[$0] - quarter[2 * reach - 1 - $0]) / 2) }
        half = (0..<reach).map { Float(middle[$0]) }
        growth = Float([quarter, middle].map { $0.reduce(0) { $0 + abs($1) } }.max() ?? 1) * 1.001
    }

    /// Raises `peak` to the greatest magnitude at and between the samples.
    ///
    /// `line` holds `start` old samples, then `frames` new ones, then room for seven more that may be
    /// anything finite. A block whose samples are too small to reach `peak` in between is skipped: that changes
    /// nothing but the time.
    func raise(_ peak: inout Float, _ line: UnsafePointer<Float>, frames: Int) {
        var before = Self.greatest(line + 1, Self.start - 1)
        var place = Self.start
        let end = Self.start + frames
        while place < end {
            let count = min(Self.block, end - place)
            let here = Self.greatest(line + place, count)
            peak = max(peak, here)
            if max(before, here) * growth > peak {
                peak = max(peak, between(line + place - Self.history, count))
            }
            // Why not `here` alone after a short block: only the last one of a call is short.
            before = here
            place += count
        }
    }

    /// The greatest magnitude of the three phases for `count` windows, the first at `line`.
    private func between(_ line: UnsafePointer<Float>, _ count: Int) -> Float {
        let last = 2 * Self.reach - 1
        var greatest = Lanes()
        even.withUnsafeBufferPointer { even in
            odd.withUnsafeBufferPointer { odd in
                half.withUnsafeBufferPointer { half in
                    var frame = 0
                    while frame < count {
                        let at = UnsafeRawPointer(line + frame)
                        var (e, o, h) = (Lanes(), Lanes(), Lanes())
                        for tap in 0..<Self.reach {
                            let left = at.loadUnaligned(fromByteOffset: 4 * tap, as: Lanes.self)
                            let right = at.loadUnaligned(
                                fromByteOffset: 4 * (last - tap), as: Lanes.self)
                            let sum = left + right
                            e += even[tap] * sum
                            o += odd[tap] * (left - right)
                            h += half[tap] * sum
                        }
                        var found = Self.larger(
                            Self.magnitude(e) + Self.magnitude(o), Self.magnitude(h))
                        if count - frame < 8 {
                            // Lanes past the end read what is not there yet.
                            for lane in (count - frame)..<8 { found[lane] = 0 }
                        }
                        greatest = Self.larger(greatest, found)
                        frame += 8
                    }
                }
            }
        }
        return greatest.max()
    }

    /// The greatest magnitude of so many samples.
    static func greatest(_ line: UnsafePointer<Float>, _ count: Int) -> Float {
        var lanes = Lanes()
        var place = 0
        while place + 8 <= count {
            let here = UnsafeRawPointer(line + place).loadUnaligned(as: Lanes.self)
            lanes = larger(lanes, magnitude(here))
            place += 8
        }
        var found = lanes.max()
        while place < count {
            found = max(found, abs(line[place]))
            place += 1
        }
        return found
    }

    /// Why not `pointwiseMax`: it asks each lane by itself whether it is a number, and cost more than the filter.
    @inline(__always)
    private static func larger(_ one: Lanes, _ two: Lanes) -> Lanes {
        one.replacing(with: two, where: two .> one)
    }

    @inline(__always)
    private static func magnitude(_ x: Lanes) -> Lanes {
        unsafeBitCast(
            unsafeBitCast(x, to: SIMD8<UInt32>.self) & SIMD8(repeating: 0x7fff_ffff), to: Lanes.self
        )
    }

    /// Kaiser's window (Kaiser 1974), 1 in the middle, for x from −1 to 1.
    private static func window(_ x: Double) -> Double {
        bessel(shape * max(0, 1 - x * x).squareRoot()) / bessel(shape)
    }

    private static let shape = 6.0

    /// The modified Bessel function of the first kind, order 0, by its series.
    private static func bessel(_ x: Double) -> Double {
        var (sum, term) = (1.0, 1.0)
        for k in 1...40 {
            term *= (x / 2 / Double(k)) * (x / 2 / Double(k))
            sum += term
        }
        return sum
    }
}
