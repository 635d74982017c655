// SPDX-License-Identifier: Apache-2.0

/// Proves that its holder has the current lease on a message: 56 bytes, never used twice (I3).
///
///     entry 42 | executedAt 6 | nonce 8 (worker number 4, random per call 4)
///
/// Every renew, checkpoint and settle shows the token; a store that does not find exactly these
/// bytes among its leases answers `stale` and changes nothing.
public struct LeaseToken: Sendable, Hashable {
    public static let size = 56

    // Why: seven words instead of an array, so that a token costs no allocation on the hot path.
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// Reads exactly 56 bytes; nil when there are more or fewer.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == LeaseToken.size else { return nil }
        words = bytes.loadUnaligned(
            as: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64).self)
    }

    public init?(bytes: [UInt8]) {
        guard let token = bytes.withUnsafeBytes({ LeaseToken(bytes: $0) }) else { return nil }
        self = token
    }

    public init(entry: Entry, executedAt: Timestamp, nonce: UInt64) {
        words = (0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { buffer in
            entry.write(into: buffer)
            let time = UInt64(clamping: executedAt.milliseconds)
            for index in 0..<6 {
                buffer[42 + index] = UInt8(truncatingIfNeeded: time >> UInt64(8 * (5 - index)))
            }
            buffer.storeBytes(of: nonce.bigEndian, toByteOffset: 48, as: UInt64.self)
        }
    }

    /// Calls `body` with the 56 bytes.
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try Swift.withUnsafeBytes(of: words, body)
    }

    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    public var id: MessageID {
        MessageID(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }

    /// The entry as it stood when the message was handed out.
    public var entry: Entry {
        withUnsafeBytes { bytes in
            guard let entry = Entry(bytes: bytes) else {
                preconditionFailure(
                    "a token holds \(LeaseToken.size) bytes, an entry \(Entry.size)")
            }
            return entry
        }
    }

    /// When the message was handed out, on the store's clock.
    public var executedAt: Timestamp {
        withUnsafeBytes { bytes in
            var time: Int64 = 0
            for index in 42..<48 { time = time << 8 | Int64(bytes[index]) }
            return Timestamp(milliseconds: time)
        }
    }

    public var nonce: UInt64 { UInt64(bigEndian: words.6) }

    public static func == (left: LeaseToken, right: LeaseToken) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1
            && left.words.2 == right.words.2 && left.words.3 == right.words.3
            && left.words.4 == right.words.4 && left.words.5 == right.words.5
            && left.words.6 == right.words.6
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.1)
        hasher.combine(words.6)
    }
}

extension LeaseToken: CustomStringConvertible {
    /// The id and the run; never the nonce, which is the secret part.
    public var description: String { "lease on \(id), run \(entry.epoch)" }
}
