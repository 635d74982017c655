// SPDX-License-Identifier: Apache-2.0
import Foundation

/// FIPS 180-4, for the published sums of test vectors. The constants are the fractions of roots of primes.
func sha256(_ message: [UInt8]) -> String {
    let primes = (2...311).filter { n in !(2..<n).contains { n % $0 == 0 } }
    func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 4_294_967_296) }
    let k = primes.prefix(64).map { fraction(cbrt(Double($0))) }
    var hash = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    padded += (0..<8).reversed().map { UInt8(truncatingIfNeeded: (message.count * 8) >> (8 * $0)) }
    func turned(_ x: UInt32, _ by: UInt32) -> UInt32 { x >> by | x << (32 - by) }
    for block in stride(from: 0, to: padded.count, by: 64) {
        var w = (0..<16).map { i in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + 4 * i + $1]) }
        }
        for i in 16..<64 {
            let (a, b) = (w[i - 15], w[i - 2])
            let s0 = turned(a, 7) ^ turned(a, 18) ^ a >> 3
            let s1 = turned(b, 17) ^ turned(b, 19) ^ b >> 10
            w.append(w[i - 16] &+ s0 &+ w[i - 7] &+ s1)
        }
        var v = hash
        for i in 0..<64 {
            let s1 = turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25)
            let t1 = v[7] &+ s1 &+ (v[4] & v[5] ^ ~v[4] & v[6]) &+ k[i] &+ w[i]
            let s0 = turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22)
            let t2 = s0 &+ (v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2])
            v = [t1 &+ t2, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
        }
        hash = zip(hash, v).map { $0 &+ $1 }
    }
    return hash.map { String(format: "%08x", $0) }.joined()
}
