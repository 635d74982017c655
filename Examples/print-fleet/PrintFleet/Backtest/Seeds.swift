// SPDX-License-Identifier: Apache-2.0

/// Which generated fleets may be looked at when. Constants of the estimator and of its intervals are
/// chosen on `tuning` only; `test` is run once they are fixed, and its results change nothing.
package enum Seeds {
    package static let tuning: [UInt64] = [101, 102, 103, 104, 105, 106, 107, 108]
    package static let test: [UInt64] = [9001, 9002, 9003, 9004, 9005, 9006]
    package static let regimes: [Double] = [0, 1.2, 4, 8]
}
