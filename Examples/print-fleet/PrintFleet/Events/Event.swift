// SPDX-License-Identifier: Apache-2.0

/// Something that happened to a device or one of its supplies, found in its readings.
package struct Event: Hashable, Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case replacement, refill, swapBack, premature, shaken, leak
        case capacityChange, counterRollback, counterReset, deviceSwap
        case idle, active, usageJump, colorImbalance, supplyForgotten, clockLeap
    }

    package var kind: Kind
    package var device: String
    package var supply: Int?
    /// When it happened, as well as the readings tell.
    package var time: Instant
    /// Time of the reading that made it certain.
    package var seen: Instant
    /// The figure that goes with the kind: new level, percent wasted, factor, days.
    package var detail: Double

    package func write(to json: inout JSONWriter) {
        json.open()
        json.field("type", "event")
        json.field("device", device)
        json.field("index", supply)
        json.field("kind", kind.rawValue)
        json.field("time", time)
        json.field("seen", seen)
        json.field("detail", detail, decimals: 3)
        json.close()
        json.endLine()
    }
}
