// SPDX-License-Identifier: Apache-2.0

/// Which of eight bands a message waits in: 0 is served first, 7 last, 3 is the default.
public struct Priority: Sendable, Hashable, Comparable, Codable {
    public let band: UInt8

    /// The band, or nil outside 0…7.
    public init?(_ band: Int) {
        guard (0...7).contains(band) else { return nil }
        self.band = UInt8(band)
    }

    private init(unchecked band: UInt8) { self.band = band }

    /// The band of the three lowest bits, as it stands in an ``Entry``.
    package init(bits: UInt8) { self.band = bits & 7 }

    public static let first = Priority(unchecked: 0)
    public static let normal = Priority(unchecked: 3)
    public static let last = Priority(unchecked: 7)

    public static func < (left: Priority, right: Priority) -> Bool { left.band < right.band }
}

extension Priority: ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// A literal in the source: a wrong one is the programmer's error and stops the program.
    public init(integerLiteral band: Int) {
        precondition((0...7).contains(band), "a priority is 0 (first) to 7 (last), not \(band)")
        self.init(unchecked: UInt8(band))
    }

    public var description: String { "\(band)" }
}
