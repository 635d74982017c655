// SPDX-License-Identifier: Apache-2.0

/// What a broker did that the design rules out, by the invariant it breaks.
package struct LedgerViolation: Error, Hashable, CustomStringConvertible {
    /// The design's list, with order and priority behind it.
    package enum Invariant: String, Sendable, Hashable {
        case i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12
        case order, priority
    }

    package var invariant: Invariant
    /// Which word it was since the ledger began.
    package var step: Int
    package var queue: QueueName
    package var reason: String

    package var description: String {
        "\(invariant.rawValue.uppercased()) broken at step \(step) in '\(queue)': \(reason)"
    }
}
