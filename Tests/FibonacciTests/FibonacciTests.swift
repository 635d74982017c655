// SPDX-License-Identifier: Apache-2.0
import BigInt
import FibonacciNumbers
import Testing

@Suite struct `Fast doubling` {
    @Test func `is the sum of the two before, from 0 to 2,000`() {
        for (n, sum) in FibonacciSequence().prefix(2001).enumerated() {
            let doubled = Fibonacci.exact(UInt32(n))
            #expect(doubled == sum, "F(\(n))")
        }
    }

    @Test func `knows numbers that are printed elsewhere`() {
        #expect(Fibonacci.exact(10) == 55)
        #expect(Fibonacci.exact(93) == BigUInt(12_200_160_415_121_876_738))
        #expect("\(Fibonacci.exact(100))" == "354224848179261915075")
        #expect("\(Fibonacci.exact(300))".hasPrefix("2222322446294204455297398934619099672066"))
    }

    @Test(arguments: [UInt32(4_095), 4_096, 12_345, 31_999])
    func `keeps the identities of large numbers`(_ n: UInt32) {
        let (before, this, next) = (
            Fibonacci.exact(n - 1), Fibonacci.exact(n), Fibonacci.exact(n + 1)
        )
        #expect(before + this == next)
        // Cassini: F(n−1)·F(n+1) − F(n)² = (−1)ⁿ
        let (product, square) = (before * next, this * this)
        #expect(n % 2 == 0 ? product == square + 1 : product + 1 == square)
        // F(2n) = F(n)·(F(n−1) + F(n+1)), and F(2n+1) = F(n)² + F(n+1)²
        #expect(Fibonacci.exact(2 * n) == this * (before + next))
        #expect(Fibonacci.exact(2 * n + 1) == square + next * next)
    }

    @Test(arguments: [(UInt32(144), UInt32(89)), (1_000, 750), (2_310, 1_001), (4_096, 1_536)])
    func `has the greatest common divisor at the greatest common divisor`(
        _ pair: (UInt32, UInt32)
    ) {
        let divisor = Fibonacci.exact(
            UInt32(BigUInt(pair.0).greatestCommonDivisor(with: BigUInt(pair.1))))
        #expect(
            Fibonacci.exact(pair.0).greatestCommonDivisor(with: Fibonacci.exact(pair.1)) == divisor)
    }

    @Test func `never has more digits than the bound says, and seldom fewer by two`() {
        for n: UInt32 in [0, 1, 2, 6, 7, 12, 93, 94, 1_000, 4_782, 47_847, 100_000] {
            let digits = "\(Fibonacci.exact(n))".utf8.count
            let bound = Fibonacci.mostDigits(n)
            #expect(digits <= bound && bound <= digits + 2, "F(\(n)): \(digits), \(bound)")
        }
    }

    @Test func `has the digits of BigInt's own text, in halves as in one piece`() {
        let piece = BigUInt(10).power(608)
        var numbers = [0, 1, 9, piece - 1, piece, piece + 7, piece * piece - 1, piece * piece]
        numbers += [piece * piece * piece, BigUInt(10).power(5_000) + 3]
        numbers += [2_909, 2_910, 5_819, 12_345, 60_000].map { Fibonacci.exact($0) }
        for number in numbers { #expect(Decimal.text(number) == "\(number)") }
    }

    @Test func `ends early when nobody wants it any longer`() {
        struct Enough: Error {}
        var looks = 0
        #expect(throws: Enough.self) {
            try Fibonacci.exact(1_000_000) {
                looks += 1
                if looks == 5 { throw Enough() }
            }
        }
        #expect(looks == 5)
    }
}

@Suite struct `The closed formula` {
    @Test func `rounded to nearest is wrong from n = 71, truncated from n = 72`() throws {
        let nearest = try #require(ClosedFormula.firstMistake(.nearest))
        #expect(nearest.n == 71)
        #expect(nearest.exact == 308_061_521_170_129 && nearest.formula == 308_061_521_170_130)
        let truncated = try #require(ClosedFormula.firstMistake(.truncated))
        #expect(truncated.n == 72)
        #expect(truncated.exact == 498_454_011_879_264 && truncated.formula == 498_454_011_879_265)
    }

    @Test func `is right before and has no room from n = 1475 on`() {
        for (n, exact) in FibonacciSequence().prefix(71).enumerated() {
            #expect(ClosedFormula.whole(n, .nearest) == exact)
        }
        #expect(ClosedFormula.firstInfinite == 1475)
        #expect(ClosedFormula.whole(1474, .nearest) != nil)
        #expect(ClosedFormula.whole(1475, .nearest) == nil)
    }
}

@Suite struct `The numbers asked for` {
    @Test
    func `are different, hold the largest and a third in a row, and come again by their seed`() {
        var random = Counting(seed: 1)
        let numbers = Numbers.draw(300, largest: 478_495, using: &random)
        #expect(numbers.count == 300 && Set(numbers).count == 300)
        #expect(numbers.max() == 478_495)
        #expect(Set(0..<100).isSubset(of: numbers))
        // Every order of magnitude has its share.
        #expect(numbers.count { (1_000..<10_000).contains($0) } >= 40)
        var again = Counting(seed: 1)
        #expect(Numbers.draw(300, largest: 478_495, using: &again) == numbers)
        var other = Counting(seed: 2)
        #expect(Numbers.draw(300, largest: 478_495, using: &other) != numbers)
    }

    @Test(arguments: [(1, 0), (1, 7), (8, 7), (100, 7), (7, 7), (40, 60), (0, 5)])
    func `are as many as there are`(_ count: Int, _ largest: UInt32) {
        var random = Counting(seed: 3)
        let numbers = Numbers.draw(count, largest: largest, using: &random)
        #expect(numbers.count == min(count, Int(largest) + 1))
        #expect(Set(numbers).count == numbers.count)
        #expect(count == 0 || numbers.contains(largest))
        #expect(numbers.allSatisfy { $0 <= largest })
    }
}

/// Numbers that are the same everywhere (SplitMix64; Steele, Lea and Flood 2014).
struct Counting: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
