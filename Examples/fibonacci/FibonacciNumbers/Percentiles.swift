// SPDX-License-Identifier: Apache-2.0

/// The usual places in a sorted list of milliseconds, each a value that was really measured (nearest rank).
package struct Percentiles: Sendable, Hashable, Encodable {
    package let p50: Int
    package let p90: Int
    package let p99: Int
    package let max: Int

    /// Nil when nothing was measured.
    package init?(_ values: [Int]) {
        guard let most = values.max() else { return nil }
        let sorted = values.sorted()
        func rank(_ percent: Int) -> Int {
            // The smallest value that at least so many percent of all do not exceed.
            sorted[(sorted.count * percent + 99) / 100 - 1]
        }
        (p50, p90, p99, max) = (rank(50), rank(90), rank(99), most)
    }
}
