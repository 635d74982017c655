// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A message's body as it is kept and handed out:
///
///     band 1 | kind 4 | maxAttempts 1 | the producer's bytes
///
/// The head says what an entry needs, so that a plain message has no record before its first run.
/// An empty value is the tombstone of a message that was cancelled while it waited in its list.
enum StoredValue {
    static let headBytes = 6

    struct Head {
        var band: UInt8
        var kind: UInt32
        var maxAttempts: UInt8

        init(band: UInt8, kind: UInt32, maxAttempts: UInt8) {
            self.band = band
            self.kind = kind
            self.maxAttempts = maxAttempts
        }

        /// Nil for a tombstone.
        init?(_ value: ArraySlice<UInt8>) {
            guard value.count >= headBytes else { return nil }
            let start = value.startIndex
            band = value[start]
            kind = value[start + 1..<start + 5].reduce(0) { $0 << 8 | UInt32($1) }
            maxAttempts = value[start + 5]
        }

        func write(into buffer: UnsafeMutableRawBufferPointer) {
            buffer[0] = band
            for index in 0..<4 {
                buffer[1 + index] = UInt8(truncatingIfNeeded: kind >> UInt32(24 - 8 * index))
            }
            buffer[5] = maxAttempts
        }

        var priority: Priority { Priority(bits: band) }
        var sizeClass: UInt8 { band >> 3 & 0xF }
        var hasUniqueKey: Bool { band > 127 }
    }

    /// The producer's bytes.
    static func body(of value: ArraySlice<UInt8>) -> [UInt8] { Array(value.dropFirst(headBytes)) }
}
