// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Which numbers are asked for.
package enum Numbers {
    /// `count` different ones in an order by chance: the first third in a row from 0, then ever sparser
    /// up to `largest`, which is among them. The same seed draws the same.
    ///
    /// Fewer when there are not that many from 0 to `largest`.
    package static func draw(
        _ count: Int, largest: UInt32, using random: inout some RandomNumberGenerator
    ) -> [UInt32] {
        let count = min(count, Int(largest) + 1)
        guard count > 0 else { return [] }
        let row = count / 3
        var numbers = Set((0..<row).map { UInt32($0) })
        numbers.insert(largest)
        let rest = count - row
        for step in 0..<rest {
            // Why in steps: every order of magnitude gets its share, whatever the seed.
            let share = (Double(step) + Double.random(in: 0..<1, using: &random)) / Double(rest)
            let low = Double(max(1, row))
            let drawn = (low * pow(Double(largest) / low, share)).rounded(.down)
            var n = UInt32(max(0, min(drawn, Double(largest))))
            // Crowded where steps are small: then the next that is free.
            while numbers.contains(n), numbers.count < count { n = n == largest ? 0 : n + 1 }
            if numbers.count < count { numbers.insert(n) }
        }
        return numbers.sorted().shuffled(using: &random)
    }
}
