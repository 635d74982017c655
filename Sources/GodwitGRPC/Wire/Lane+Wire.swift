// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension LaneToken {
    package init(_ wire: Godwit_V1_LaneToken) { self.init(key: wire.key, nonce: wire.nonce) }

    package var wire: Godwit_V1_LaneToken {
        var wire = Godwit_V1_LaneToken()
        wire.key = key
        wire.nonce = nonce
        return wire
    }
}

extension StoredPoint {
    package init(_ wire: Godwit_V1_StoredPoint) {
        self.init(id: PointID(rawValue: wire.id), isLate: wire.isLate, body: wire.body.array)
    }

    package var wire: Godwit_V1_StoredPoint {
        var wire = Godwit_V1_StoredPoint()
        wire.id = id.rawValue
        wire.isLate = isLate
        wire.body = Data(wire: body)
        return wire
    }
}

extension NewPoint {
    /// `makeID` gives an id to a point without.
    package init(_ wire: Godwit_V1_NewPoint, makeID: () -> PointID) {
        self.init(
            key: wire.key, id: wire.id == 0 ? makeID() : PointID(rawValue: wire.id),
            body: wire.body.array)
    }

    package var wire: Godwit_V1_NewPoint {
        var wire = Godwit_V1_NewPoint()
        wire.key = key
        wire.id = id.rawValue
        wire.body = Data(wire: body)
        return wire
    }
}

extension AppendOutcome {
    /// Nil for a word of a newer server.
    package init?(_ wire: Godwit_V1_AppendOutcome) {
        switch wire {
        case .appended: self = .appended
        case .appendedLate: self = .appendedLate
        case .late: self = .late
        case .duplicate: self = .duplicate
        case .full: self = .full
        case .ahead: self = .ahead
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    package var wire: Godwit_V1_AppendOutcome {
        switch self {
        case .appended: .appended
        case .appendedLate: .appendedLate
        case .late: .late
        case .duplicate: .duplicate
        case .full: .full
        case .ahead: .ahead
        }
    }
}

extension LaneRequest {
    package init(_ wire: Godwit_V1_ReserveLanesRequest) {
        self.init(
            min(Int(wire.lanes), StreamLimits.lanes),
            points: wire.points == 0 ? 16 : min(Int(wire.points), StreamLimits.pointsPerLane),
            bytes: wire.bytes == 0
                ? 256 << 10 : min(Int(wire: wire.bytes), WireLimits.answeredBytes),
            lease: Duration(wireLease: wire.leaseMs).boundedLease,
            takesSuspects: wire.takesSuspects,
            worker: wire.worker)
    }

    package func wire(from stream: QueueName) -> Godwit_V1_ReserveLanesRequest {
        var wire = Godwit_V1_ReserveLanesRequest()
        wire.stream = stream.text
        wire.lanes = UInt32(clamping: lanes)
        wire.points = UInt32(clamping: max(1, points))
        wire.bytes = UInt64(clamping: max(1, bytes))
        wire.leaseMs = lease.wire
        wire.takesSuspects = takesSuspects
        wire.worker = worker
        return wire
    }
}

extension LeasedLane {
    package init(_ wire: Godwit_V1_LeasedLane) {
        self.init(
            token: LaneToken(wire.token), position: wire.position, birth: wire.birth,
            newest: PointID(rawValue: wire.newest), attempt: Int(wire.attempt),
            lost: Int(wire.lost), points: wire.points.map { StoredPoint($0) })
    }

    package func wire(mask: TokenMask?, in stream: QueueName) -> Godwit_V1_LeasedLane {
        var wire = Godwit_V1_LeasedLane()
        wire.token = mask.shown(token, in: stream).wire
        wire.position = position
        wire.birth = birth
        wire.newest = newest.rawValue
        wire.attempt = UInt32(clamping: attempt)
        wire.lost = UInt32(clamping: lost)
        wire.points = points.map(\.wire)
        return wire
    }
}

extension LaneReservation {
    package init(_ wire: Godwit_V1_ReserveLanesResponse) {
        self.init(
            now: Timestamp(wire: wire.nowMs), deadline: Timestamp(wire: wire.deadlineMs),
            lanes: wire.lanes.map { LeasedLane($0) }, suspectsWaiting: Int(wire.suspectsWaiting),
            nextDue: wire.hasNextDueMs ? Timestamp(wire: wire.nextDueMs) : nil)
    }

    package func wire(
        mask: TokenMask?, in stream: QueueName
    ) -> Godwit_V1_ReserveLanesResponse {
        var wire = Godwit_V1_ReserveLanesResponse()
        wire.lanes = lanes.map { $0.wire(mask: mask, in: stream) }
        wire.nowMs = now.wire
        wire.deadlineMs = deadline.wire
        wire.suspectsWaiting = UInt32(clamping: suspectsWaiting)
        if let nextDue { wire.nextDueMs = nextDue.wire }
        return wire
    }
}

extension LaneMemory {
    package init(_ wire: Godwit_V1_LaneMemory) {
        self.init(
            position: wire.position, birth: wire.birth, window: wire.window.map { StoredPoint($0) },
            state: wire.state.array, bytesMoved: Int(wire: wire.bytesMoved))
    }

    package var wire: Godwit_V1_LaneMemory {
        var wire = Godwit_V1_LaneMemory()
        wire.position = position
        wire.birth = birth
        wire.window = window.map(\.wire)
        wire.state = Data(wire: state)
        wire.bytesMoved = UInt64(clamping: bytesMoved)
        return wire
    }
}
