// SPDX-License-Identifier: Apache-2.0
package import BigInt

/// The Fibonacci numbers, exact: F(0) = 0, F(1) = 1, each further one the sum of the two before.
package enum Fibonacci {
    /// F(n) by fast doubling: about 3 × log₂ n multiplications instead of n additions.
    ///
    /// From F(k) and F(k+1) follow F(2k) = F(k)·(2F(k+1) − F(k)) and F(2k+1) = F(k)² + F(k+1)², the square of
    /// the matrix ((1, 1), (1, 0))ᵏ (Knuth, The Art of Computer Programming 1, §1.2.8). The bits of n say,
    /// highest first, which of them comes next.
    package static func exact(_ n: UInt32) -> BigUInt { exact(n) {} }

    /// The same, with a look before every doubling at whether it is still wanted; what `check` throws ends it.
    package static func exact<E: Error>(
        _ n: UInt32, _ check: () throws(E) -> Void
    ) throws(E) -> BigUInt {
        guard n > 1 else { return BigUInt(n) }
        // F(k) and F(k+1) for the k that the bits read so far make.
        var (this, next): (BigUInt, BigUInt) = (0, 1)
        let half = n >> 1
        for bit in (0..<(UInt32.bitWidth - half.leadingZeroBitCount)).reversed() {
            try check()
            let even = this * ((next << 1) - this)
            let odd = this * this + next * next
            (this, next) = half >> bit & 1 == 0 ? (even, odd) : (odd, even + odd)
        }
        try check()
        // Why apart: the last doubling needs one of the two only.
        return n & 1 == 0 ? this * ((next << 1) - this) : this * this + next * next
    }

    /// How many decimal digits F(n) has, or one more: enough to bound an answer from elsewhere.
    ///
    /// F(n) < φⁿ, and log₁₀ φ < 0.20899.
    package static func mostDigits(_ n: UInt32) -> Int { Int(Double(n) * 0.20899) + 1 }
}

/// All Fibonacci numbers from F(0) on, by addition.
package struct FibonacciSequence: Sequence, IteratorProtocol {
    private var this: BigUInt = 0
    private var following: BigUInt = 1

    package init() {}

    package mutating func next() -> BigUInt? {
        defer { (this, following) = (following, this + following) }
        return this
    }
}
