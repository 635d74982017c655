// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What the hash `ln` holds of a key, read from its bytes:
///
///     position 6 | newest id 8 | attempt 1 | lost 1 | handledAt 6 | birth 4 | a state of up to 38 bytes
///
/// A longer state stands in the hash `sv`.
struct StoredLane {
    static let size = 26

    let bytes: ArraySlice<UInt8>

    /// Nil for what is shorter than a lane.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.size else { return nil }
        self.bytes = bytes
    }

    var position: UInt64 { bytes.number(at: 0, bytes: 6) }
    var newest: PointID { PointID(rawValue: bytes.number(at: 6, bytes: 8)) }
    var attempt: Int { Int(bytes.number(at: 14, bytes: 1)) }
    var lost: Int { Int(bytes.number(at: 15, bytes: 1)) }
    var handledAt: Timestamp? {
        let time = bytes.timestamp(at: 16)
        return time.milliseconds == 0 ? nil : time
    }

    /// Another one after a replay, and for a key that was made anew.
    var birth: UInt32 { UInt32(bytes.number(at: 22, bytes: 4)) }

    /// The state, whichever place it has; `long` is what `sv` holds.
    func state(or long: ArraySlice<UInt8>?) -> [UInt8] {
        let own = bytes.dropFirst(Self.size)
        return Array(own.isEmpty ? long ?? [] : own)
    }

    func summary(_ key: String, _ phase: LanePhase, pending: Int) -> LaneSummary {
        LaneSummary(
            key: key, phase: phase, pending: pending, position: position, attempt: attempt,
            lost: lost, handledAt: handledAt)
    }
}

extension StoredPoint {
    /// Reads points that lie one behind the other, as a window and a list of waiting ones hold them:
    ///
    ///     size × 2, and 1 where late 4 | id 8 | for a late one the newest id before it 8 | body
    ///
    /// Nil where the bytes are no such thing.
    static func points(in packed: ArraySlice<UInt8>) -> [StoredPoint]? {
        packed.withUnsafeBytes { bytes in
            var points: [StoredPoint] = []
            var at = 0
            while at < bytes.count {
                guard bytes.count - at >= 12 else { return nil }
                let head = UInt32(
                    bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                let id = UInt64(
                    bigEndian: bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt64.self))
                let isLate = head & 1 == 1
                let size = Int(head >> 1)
                let start = Self.size(ofBody: 0, isLate: isLate)
                guard size >= start, bytes.count - at >= size else { return nil }
                points.append(
                    StoredPoint(
                        id: PointID(rawValue: id), isLate: isLate,
                        body: Array(bytes[at + start..<at + size])))
                at += size
            }
            return points
        }
    }
}

extension NewPoint {
    var size: Int { StoredPoint.size(ofBody: body.count, isLate: false) }

    /// The point as it is stored when it is not late; the script makes a late one of it.
    func write(into buffer: UnsafeMutableRawBufferPointer) {
        buffer.storeBytes(of: UInt32(size << 1).bigEndian, toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: id.rawValue.bigEndian, toByteOffset: 4, as: UInt64.self)
        body.withUnsafeBytes { bytes in
            guard !bytes.isEmpty else { return }
            UnsafeMutableRawBufferPointer(rebasing: buffer[12...]).copyMemory(from: bytes)
        }
    }
}

extension LaneToken {
    /// nonce 8 | key: a member of the lease set.
    var bytes: [UInt8] { nonce.bigEndianBytes + Array(key.utf8) }
}

extension UInt64 {
    var bigEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) } }
}
