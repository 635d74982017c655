// SPDX-License-Identifier: Apache-2.0

/// One supply of a device as its reading gives it, in the words of the Printer MIB (RFC 3805).
package struct Supply: Hashable, Sendable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        case toner, ink, drum, waste, fuser, kit, other
    }

    package enum Color: UInt8, Sendable, CaseIterable {
        case black, cyan, magenta, yellow, none
    }

    /// `filled` supplies (waste) report the space that is left, so both classes fall towards 0.
    package enum Class: UInt8, Sendable, CaseIterable {
        case consumed, filled
    }

    /// What a device says that only enumerates.
    package enum Condition: UInt8, Sendable, CaseIterable {
        case ok, low, empty
    }

    package var index: Int
    package var color: Color = .none
    package var kind: Kind = .other
    package var `class`: Class = .consumed
    /// ≥ 0, or −1 other, −2 unknown, −3 some remains.
    package var level: Int
    /// > 0, or −1 other, −2 unknown.
    package var capacity: Int
    /// prtMarkerSuppliesSupplyUnit; 19 = percent.
    package var unit: Int
    package var serial: String?
    package var part: String?
    package var condition: Condition?

    package init(
        index: Int, color: Color = .none, kind: Kind = .other, class: Class = .consumed,
        level: Int, capacity: Int, unit: Int, serial: String? = nil, part: String? = nil,
        condition: Condition? = nil
    ) {
        self.index = index
        self.color = color
        self.kind = kind
        self.class = `class`
        self.level = level
        self.capacity = capacity
        self.unit = unit
        self.serial = serial
        self.part = part
        self.condition = condition
    }

    /// The level in percent within 0…100; nil when the device gives no number. Negative levels are
    /// codes, never averaged.
    package var percent: Double? {
        guard level >= 0 else { return nil }
        if capacity > 0 { return min(100, 100 * Double(level) / Double(capacity)) }
        return unit == 19 ? min(100, Double(level)) : nil
    }

    /// The finest step the numbers themselves allow, in percent.
    var resolution: Double { capacity > 0 ? 100 / Double(capacity) : 1 }
}
