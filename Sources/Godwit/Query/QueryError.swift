// SPDX-License-Identifier: Apache-2.0

/// Why a text is not a query, for the one who typed it.
public struct QueryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where, counted in characters from 1.
    public let column: Int
    /// What is wrong there and what to write instead; without control characters.
    public let reason: String

    init(column: Int, _ reason: String) {
        self.column = column
        self.reason = reason.escapedForDisplay
    }

    public var description: String { "column \(column): \(reason)" }
}
