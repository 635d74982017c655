// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension LaneEnd {
    package init(_ wire: Godwit_V1_LaneEnd) throws(WireError) {
        switch wire.end {
        case .next, nil: self = .next
        case .retry(let retry):
            self = .retry(
                after: Duration(wire: max(0, retry.afterMs)),
                reason: retry.reason.cut(to: BrokerLimits.reasonBytes))
        case .skip: self = .skip
        case .block(let reject):
            self = .block(reason: reject.reason.cut(to: BrokerLimits.reasonBytes))
        case .release: self = .release
        }
    }

    package var wire: Godwit_V1_LaneEnd {
        var wire = Godwit_V1_LaneEnd()
        switch self {
        case .next: wire.next = Godwit_V1_Next()
        case .retry(let after, let reason):
            wire.retry.afterMs = after.wire
            wire.retry.reason = reason
        case .skip: wire.skip = Godwit_V1_Skip()
        case .block(let reason): wire.block.reason = reason
        case .release: wire.release = Godwit_V1_Release()
        }
        return wire
    }
}

extension Emission {
    package init(_ wire: Godwit_V1_Emission, makeID: () -> MessageID) throws(WireError) {
        self.init(
            try NewMessage(wire.message, makeID: makeID), to: try QueueName(wire: wire.queue),
            deadReason: wire.hasDeadReason
                ? wire.deadReason.cut(to: BrokerLimits.reasonBytes) : nil)
    }

    package var wire: Godwit_V1_Emission {
        var wire = Godwit_V1_Emission()
        wire.queue = queue.text
        wire.message = message.wire
        if let deadReason { wire.deadReason = deadReason }
        return wire
    }
}

extension LaneSettlement {
    package init(
        _ wire: Godwit_V1_LaneSettlement, token: LaneToken, makeID: () -> MessageID
    ) throws(WireError) {
        var emissions: [Emission] = []
        for emission in wire.emissions {
            emissions.append(try Emission(emission, makeID: makeID))
        }
        self.init(
            token, handled: Int(wire.handled), newest: PointID(rawValue: wire.newest),
            state: wire.hasState ? wire.state.array : nil, windowCount: Int(wire.windowCount),
            windowBytes: Int(wire: wire.windowBytes), end: try LaneEnd(wire.end),
            emissions: emissions)
    }

    package var wire: Godwit_V1_LaneSettlement {
        var wire = Godwit_V1_LaneSettlement()
        wire.token = token.wire
        wire.handled = UInt32(clamping: handled)
        wire.newest = newest.rawValue
        if let state { wire.state = Data(wire: state) }
        wire.windowCount = UInt32(clamping: windowCount)
        wire.windowBytes = UInt64(clamping: windowBytes)
        wire.end = end.wire
        wire.emissions = emissions.map(\.wire)
        return wire
    }

    /// About how many bytes it takes on its way.
    package var wireSize: Int {
        emissions.reduce(token.key.utf8.count + (state?.count ?? 0) + 64 + endSize) {
            $0 + $1.message.wireSize + ($1.deadReason?.utf8.count ?? 0) + 160
        }
    }

    private var endSize: Int {
        switch end {
        case .retry(_, let reason), .block(let reason): reason.utf8.count
        case .next, .skip, .release: 0
        }
    }
}

extension StreamCounts {
    package init(_ wire: Godwit_V1_StreamCountsResponse) {
        self.init()
        idle = Int(wire: wire.idle)
        ready = Int(wire: wire.ready)
        leased = Int(wire: wire.leased)
        parked = Int(wire: wire.parked)
        blocked = Int(wire: wire.blocked)
        pending = Int(wire: wire.pending)
        appended = Int(wire: wire.appended)
        handled = Int(wire: wire.handled)
        dead = Int(wire: wire.dead)
        late = Int(wire: wire.late)
        dropped = Int(wire: wire.dropped)
    }

    package var wire: Godwit_V1_StreamCountsResponse {
        var wire = Godwit_V1_StreamCountsResponse()
        wire.idle = UInt64(clamping: idle)
        wire.ready = UInt64(clamping: ready)
        wire.leased = UInt64(clamping: leased)
        wire.parked = UInt64(clamping: parked)
        wire.blocked = UInt64(clamping: blocked)
        wire.pending = UInt64(clamping: pending)
        wire.appended = UInt64(clamping: appended)
        wire.handled = UInt64(clamping: handled)
        wire.dead = UInt64(clamping: dead)
        wire.late = UInt64(clamping: late)
        wire.dropped = UInt64(clamping: dropped)
        return wire
    }
}

extension LaneSummary {
    /// Nil for a phase of a newer server.
    package init?(_ wire: Godwit_V1_LaneSummary) {
        guard let phase = LanePhase(rawValue: wire.phase) else { return nil }
        self.init(
            key: wire.key, phase: phase, pending: Int(wire: wire.pending), position: wire.position,
            attempt: Int(wire.attempt), lost: Int(wire.lost),
            handledAt: wire.hasHandledAtMs ? Timestamp(wire: wire.handledAtMs) : nil)
    }

    package var wire: Godwit_V1_LaneSummary {
        var wire = Godwit_V1_LaneSummary()
        wire.key = key
        wire.phase = phase.rawValue
        wire.pending = UInt64(clamping: pending)
        wire.position = position
        wire.attempt = UInt32(clamping: attempt)
        wire.lost = UInt32(clamping: lost)
        if let handledAt { wire.handledAtMs = handledAt.wire }
        return wire
    }
}

extension LaneRecord {
    package init?(_ wire: Godwit_V1_LaneRecord) {
        guard let summary = LaneSummary(wire.summary) else { return nil }
        self.init(
            summary: summary, reason: wire.reason,
            due: wire.hasDueMs ? Timestamp(wire: wire.dueMs) : nil,
            memory: LaneMemory(wire.memory), pending: wire.pending.map { StoredPoint($0) })
    }

    package var wire: Godwit_V1_LaneRecord {
        var wire = Godwit_V1_LaneRecord()
        wire.summary = summary.wire
        wire.reason = reason
        if let due { wire.dueMs = due.wire }
        wire.memory = memory.wire
        wire.pending = pending.map(\.wire)
        return wire
    }
}

extension DroppedKey {
    package init(_ wire: Godwit_V1_DroppedKey) {
        self.init(
            key: wire.key, position: wire.position,
            handledAt: wire.hasHandledAtMs ? Timestamp(wire: wire.handledAtMs) : nil,
            droppedAt: Timestamp(wire: wire.droppedAtMs))
    }

    package var wire: Godwit_V1_DroppedKey {
        var wire = Godwit_V1_DroppedKey()
        wire.key = key
        wire.position = position
        if let handledAt { wire.handledAtMs = handledAt.wire }
        wire.droppedAtMs = droppedAt.wire
        return wire
    }
}
