// SPDX-License-Identifier: Apache-2.0

/// What a store keeps of a waiting message beside its body: 42 bytes, the same in every broker.
///
///     id 16 | band 1 | kind 4 | maxAttempts 1 | insertedAt 6 ║ readyAt 6 | attempt 1 | lost 1 | generation 1 | epoch 3 | count 2
///
/// Big-endian; times in milliseconds of the store's clock; the first 28 bytes never change.
/// A ``LeaseToken`` is an entry with the time of its reserve and a nonce behind it.
public struct Entry: Sendable, Hashable {
    public static let size = 42

    public var id: MessageID
    public var priority: Priority
    /// Header and body take at most 64 × 2^sizeClass bytes; 14 is 1 MiB.
    public var sizeClass: UInt8
    public var hasUniqueKey: Bool
    /// CRC-32 of the kind's wire name.
    public var kindHash: UInt32
    /// Reported failures until the message is dead; 255 is without end. Decided on in Swift; in the
    /// store so that a message with one attempt is never prefetched.
    public var maxAttempts: UInt8
    public var insertedAt: Timestamp
    /// Enqueued, due, or handed back: what a wait is counted from.
    public var readyAt: Timestamp
    /// Reported failures: retries and rejects (I6).
    public var attempt: UInt8
    /// Leases that ran out; from 2 on the message is a suspect and runs alone (I6).
    public var lost: UInt8
    /// Raised by a redrive, which sets `attempt` and `lost` back to 0.
    public var generation: UInt8
    /// The number of this run in the history; rises with every requeue, also from queue to queue.
    public var epoch: UInt32
    /// Reserves before this run.
    public var count: UInt16

    public init(
        id: MessageID, priority: Priority = .normal, sizeClass: UInt8 = 0,
        hasUniqueKey: Bool = false, kindHash: UInt32, maxAttempts: UInt8, insertedAt: Timestamp,
        readyAt: Timestamp, attempt: UInt8 = 0, lost: UInt8 = 0, generation: UInt8 = 0,
        epoch: UInt32 = 0, count: UInt16 = 0
    ) {
        self.id = id
        self.priority = priority
        self.sizeClass = sizeClass
        self.hasUniqueKey = hasUniqueKey
        self.kindHash = kindHash
        self.maxAttempts = maxAttempts
        self.insertedAt = insertedAt
        self.readyAt = readyAt
        self.attempt = attempt
        self.lost = lost
        self.generation = generation
        self.epoch = epoch
        self.count = count
    }

    /// A suspect has lost two leases; a worker runs it with nothing else in flight (I6).
    public var isSuspect: Bool { lost >= 2 }

    /// The smallest class whose bodies may be `size` bytes long.
    public static func sizeClass(ofBody size: Int) -> UInt8 {
        guard size > 64 else { return 0 }
        return UInt8(min(15, Int.bitWidth - (size - 1).leadingZeroBitCount - 6))
    }

    /// The most bytes that a body of this class holds: what a byte budget counts.
    public var sizeBound: Int { 64 << Int(sizeClass) }

    /// The entry as it waits again: `ran` says whether a reserve went before.
    public func requeued(
        at readyAt: Timestamp, attempt: UInt8, lost: UInt8, generation: UInt8, ran: Bool
    ) -> Entry {
        var next = self
        next.readyAt = readyAt
        next.attempt = attempt
        next.lost = lost
        next.generation = generation
        next.epoch = (epoch + 1) & 0xFF_FFFF
        if ran { next.count = count == .max ? .max : count + 1 }
        return next
    }
}

extension Entry {
    var band: UInt8 { priority.band | sizeClass << 3 | (hasUniqueKey ? 0x80 : 0) }

    /// Reads the first 42 bytes; nil when there are fewer.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Entry.size else { return nil }
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            var value: UInt64 = 0
            for index in offset..<offset + count { value = value << 8 | UInt64(bytes[index]) }
            return value
        }
        let band = bytes[16]
        self.init(
            id: MessageID(high: number(0, 8), low: number(8, 8)),
            priority: Priority(bits: band), sizeClass: band >> 3 & 0xF, hasUniqueKey: band > 127,
            kindHash: UInt32(truncatingIfNeeded: number(17, 4)), maxAttempts: bytes[21],
            insertedAt: Timestamp(milliseconds: Int64(number(22, 6))),
            readyAt: Timestamp(milliseconds: Int64(number(28, 6))),
            attempt: bytes[34], lost: bytes[35], generation: bytes[36],
            epoch: UInt32(truncatingIfNeeded: number(37, 3)),
            count: UInt16(truncatingIfNeeded: number(40, 2)))
    }

    /// Writes 42 bytes at the start of `buffer`, which must have room for them.
    public func write(into buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= Entry.size, "an entry takes \(Entry.size) bytes")
        func put(_ value: UInt64, _ offset: Int, _ count: Int) {
            for index in 0..<count {
                buffer[offset + index] = UInt8(
                    truncatingIfNeeded: value >> UInt64(8 * (count - 1 - index)))
            }
        }
        put(id.high, 0, 8)
        put(id.low, 8, 8)
        buffer[16] = band
        put(UInt64(kindHash), 17, 4)
        buffer[21] = maxAttempts
        put(UInt64(clamping: insertedAt.milliseconds), 22, 6)
        put(UInt64(clamping: readyAt.milliseconds), 28, 6)
        buffer[34] = attempt
        buffer[35] = lost
        buffer[36] = generation
        put(UInt64(epoch), 37, 3)
        put(UInt64(count), 40, 2)
    }

    /// The entry in its 42 bytes.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Entry.size) { buffer, count in
            write(into: UnsafeMutableRawBufferPointer(buffer))
            count = Entry.size
        }
    }
}
