// SPDX-License-Identifier: Apache-2.0
import Godwit

/// An id as the two integers that SQLite sorts like the id itself.
struct Key: Hashable {
    var high: Int64
    var low: Int64

    init(high: Int64, low: Int64) {
        self.high = high
        self.low = low
    }

    // Why: SQLite's integers are signed; with the first bit turned over they sort like unsigned ones.
    @inline(__always)
    init(_ id: MessageID) {
        high = Int64(bitPattern: id.high ^ 1 << 63)
        low = Int64(bitPattern: id.low ^ 1 << 63)
    }

    @inline(__always)
    var id: MessageID {
        MessageID(
            high: UInt64(bitPattern: high) ^ 1 << 63, low: UInt64(bitPattern: low) ^ 1 << 63)
    }

    var pair: (Int64, Int64) { (high, low) }
}

/// Which list of ready messages a message stands in: suspect, band, kind.
enum Lane {
    /// The first lane of suspects; below are all the others.
    static let suspects: Int64 = 1 << 35

    static func of(_ entry: Entry) -> Int64 {
        (entry.isSuspect ? suspects : 0) | Int64(entry.priority.band) << 32 | Int64(entry.kindHash)
    }

    static func kind(_ lane: Int64) -> UInt32 { UInt32(truncatingIfNeeded: lane) }
    /// Suspect and band, without the kind.
    static func band(_ lane: Int64) -> Int64 { lane >> 32 }
}

/// The bits of `message.aside`: where else something of the message is.
enum Aside {
    /// A row in the table `aside`.
    static let row: Int64 = 1
    /// The body stands in the table `body`, under the number in `message.body`.
    static let body: Int64 = 2
}

/// What `message.tail` holds: the last 40 bytes of the token of the last run, whose first 26 are the
/// rest of the entry as it stands now.
enum Tail {
    static let size = LeaseToken.size - 16

    /// A token of `key` and a tail.
    @inline(__always)
    static func token(_ key: Key, _ tail: UnsafeRawBufferPointer) -> LeaseToken? {
        guard tail.count == size else { return nil }
        let id = key.id
        return withUnsafeTemporaryAllocation(byteCount: LeaseToken.size, alignment: 8) { buffer in
            buffer.storeBytes(of: id.high.bigEndian, as: UInt64.self)
            buffer.storeBytes(of: id.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: buffer[16...]).copyMemory(from: tail)
            return LeaseToken(bytes: UnsafeRawBufferPointer(buffer))
        }
    }
}

extension LeaseToken {
    @inline(__always)
    func withTail<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        var result: Result<R, E>?
        withUnsafeBytes { bytes in
            let tail = UnsafeRawBufferPointer(rebasing: bytes[16...])
            do throws(E) {
                result = .success(try body(tail))
            } catch {
                result = .failure(error)
            }
        }
        guard let result else { preconditionFailure("withUnsafeBytes calls its closure once") }
        return try result.get()
    }

    static let zero = Timestamp(milliseconds: 0)

    /// The same run under another entry.
    func with(_ entry: Entry) -> LeaseToken {
        LeaseToken(entry: entry, executedAt: executedAt, nonce: nonce)
    }

    /// The token of a message that has not run.
    static func unused(_ entry: Entry) -> LeaseToken {
        LeaseToken(entry: entry, executedAt: zero, nonce: 0)
    }

    var worker: UInt32 { UInt32(truncatingIfNeeded: nonce >> 32) }
}

/// The row of one message without its body, as the words look at it.
struct MessageRow {
    var key: Key
    var state: Int64
    var at: Int64
    var letter: Int64
    var aside: Int64
    /// The entry now, with the run that it is in or had last.
    var token: LeaseToken

    var hasAside: Bool { aside & Aside.row != 0 }
    /// The holder's entry and run are these; nothing else may move a leased message (I3).
    func isHeld(by token: LeaseToken) -> Bool { state == Stage.leased && self.token == token }

    /// Whether `verdict` of `token` is what brought the message here.
    func isRepetition(of token: LeaseToken, _ verdict: Verdict) -> Bool {
        guard self.token.nonce == token.nonce, self.token.executedAt == token.executedAt,
            token.executedAt.milliseconds != 0
        else { return false }
        return switch verdict {
        case .ack: state == Stage.completed
        case .retry: letter == Letter.retry && state != Stage.leased
        case .release: letter == Letter.release && state != Stage.leased
        case .reject: letter == Letter.reject && state == Stage.dead
        case .forward: state == Stage.forwarded
        }
    }
}

extension Timestamp {
    /// `delay` after `now`, in milliseconds; never before it.
    static func milliseconds(_ delay: Duration, after now: Int64) -> Int64 {
        moment(delay, after: Timestamp(milliseconds: now)).milliseconds
    }
}
