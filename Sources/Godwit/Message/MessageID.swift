// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Names one message for its whole life: a UUID version 7 (RFC 9562 §5.7).
///
/// The first 48 bits are milliseconds since 1970, so ids sort by the time they were made and land
/// at the end of an index. The same id goes along when a message is forwarded to another queue.
public struct MessageID: Sendable, Hashable {
    /// The first eight bytes, most significant first: time, version, sequence.
    public let high: UInt64
    /// The last eight bytes: variant and random bits.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes a fresh id at `timestamp`; ids made by one process in the same millisecond rise.
    public init(at timestamp: Timestamp) {
        self = MessageIDSequence.shared.next(at: timestamp)
    }

    /// The id in its 16 bytes; nil when there are not exactly 16.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in bytes.enumerated() {
            if index < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
        }
        self.init(high: words.0, low: words.1)
    }

    /// The 16 bytes, in the order of RFC 9562.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: high.bigEndian, as: UInt64.self)
            raw.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            count = 16
        }
    }

    /// When the id was made by its own word; nil when it is not of version 7.
    public var timestamp: Timestamp? {
        guard high >> 12 & 0xF == 7 else { return nil }
        return Timestamp(milliseconds: Int64(high >> 16))
    }
}

extension MessageID: Comparable {
    public static func < (left: MessageID, right: MessageID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension MessageID: LosslessStringConvertible {
    /// Reads the 36 characters of the usual form (8-4-4-4-12), in either case.
    public init?(_ text: String) {
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var position = 0
        for character in text.utf8 {
            defer { position += 1 }
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard digits < 32, let digit = Hex.value(of: character) else { return nil }
            if digits < 16 {
                words.0 = words.0 << 4 | UInt64(digit)
            } else {
                words.1 = words.1 << 4 | UInt64(digit)
            }
            digits += 1
        }
        guard digits == 32, position == 36 else { return nil }
        self.init(high: words.0, low: words.1)
    }

    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = index < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - index % 16 * 4)) & 0xF
                buffer[position] = Hex.digit(digit)
                position += 1
            }
            return position
        }
    }
}

extension MessageID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = MessageID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not a message id (a UUID).")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Hands out rising ids: the 12 bits after the version count within a millisecond (RFC 9562 §6.2,
/// method 1); when they are used up, or when the clock goes back, the last time is kept and raised.
final class MessageIDSequence: Sendable {
    static let shared = MessageIDSequence()

    private struct State {
        var last: UInt64 = 0  // milliseconds << 12 | sequence
        var random: Xoshiro
    }

    private let state = Mutex(State(random: Xoshiro()))

    func next(at timestamp: Timestamp) -> MessageID {
        let base = UInt64(clamping: timestamp.milliseconds) << 12
        return state.withLock { state in
            let fresh = base | UInt64.random(in: 0..<256, using: &state.random)
            state.last =
                fresh > state.last || base + (1 << 34) < state.last ? fresh : state.last + 1
            let time = state.last >> 12
            let high = time << 16 | 0x7000 | state.last & 0xFFF
            return MessageID(high: high, low: state.random.next() >> 2 | 0x8000_0000_0000_0000)
        }
    }
}
