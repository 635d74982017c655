// SPDX-License-Identifier: Apache-2.0
import Godwit

extension [UInt8] {
    mutating func append(bigEndian value: UInt64, bytes count: Int) {
        for index in 0..<count {
            append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - index))))
        }
    }

    mutating func append(_ token: LeaseToken) {
        token.withUnsafeBytes { append(contentsOf: $0) }
    }

    /// One byte of length (text is at most 200 bytes), then the text.
    mutating func append(short text: String) {
        let text = text.cut(to: Event.textBytes)
        append(UInt8(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}

/// Reads packed bytes from the front; every read says nil where too few are left.
struct Unpacker {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func number(_ count: Int) -> UInt64? {
        guard bytes.count - position >= count else { return nil }
        defer { position += count }
        return bytes[position..<position + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func token() -> LeaseToken? {
        guard bytes.count - position >= LeaseToken.size else { return nil }
        defer { position += LeaseToken.size }
        return LeaseToken(bytes: Array(bytes[position..<position + LeaseToken.size]))
    }

    mutating func shortText() -> String? {
        guard let count = number(1), bytes.count - position >= Int(count) else { return nil }
        defer { position += Int(count) }
        return String(decoding: bytes[position..<position + Int(count)], as: UTF8.self)
    }
}

/// The last runs of a message that failed or were lost, each as when 6 | worker 4 | count 4 | move 1
/// | length 1 | reason.
enum Attempts {
    static let kept = 10

    static func adding(_ attempt: MessageRecord.Attempt, to old: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = []
        for attempt in (read(old) + [attempt]).suffix(kept) {
            packed.append(bigEndian: UInt64(clamping: attempt.at.milliseconds), bytes: 6)
            packed.append(bigEndian: UInt64(attempt.worker), bytes: 4)
            packed.append(bigEndian: UInt64(clamping: attempt.count), bytes: 4)
            packed.append(Moves.code(of: Event.Move(rawValue: attempt.verdict) ?? .retry))
            packed.append(short: attempt.reason)
        }
        return packed
    }

    static func read(_ bytes: [UInt8]) -> [MessageRecord.Attempt] {
        var unpacker = Unpacker(bytes)
        var attempts: [MessageRecord.Attempt] = []
        while let at = unpacker.number(6), let worker = unpacker.number(4),
            let count = unpacker.number(4), let code = unpacker.number(1),
            let move = Moves.move(of: UInt8(code)), let reason = unpacker.shortText()
        {
            attempts.append(
                MessageRecord.Attempt(
                    at: Timestamp(milliseconds: Int64(at)), worker: UInt32(worker),
                    count: Int(count), verdict: move.rawValue, reason: reason))
        }
        return attempts
    }
}

/// What one commit did in a queue, each as move 1 | token 56 | length 1 | text.
enum Moves {
    // Never reordered: the codes are in files.
    private static let codes: [Event.Move] = [
        .ack, .retry, .release, .reject, .forward, .reclaim, .crashLoop, .cancel, .purge, .redrive,
        .payloadLost,
    ]

    static func code(of move: Event.Move) -> UInt8 {
        UInt8(truncatingIfNeeded: codes.firstIndex(of: move) ?? 0)
    }

    static func move(of code: UInt8) -> Event.Move? {
        Int(code) < codes.count ? codes[Int(code)] : nil
    }

    static func read(_ bytes: [UInt8], at: Timestamp) -> [Event] {
        var unpacker = Unpacker(bytes)
        var events: [Event] = []
        while let code = unpacker.number(1), let move = move(of: UInt8(code)),
            let token = unpacker.token(), let text = unpacker.shortText()
        {
            events.append(Event(move: move, at: at, token: token, text: text))
        }
        return events
    }
}

extension QueueState {
    /// Notes a move for the event row of this commit.
    @inline(__always)
    mutating func note(_ move: Event.Move, _ token: LeaseToken, _ text: String = "") {
        guard settings.recordsEvents else { return }
        moves.append(Moves.code(of: move))
        moves.append(token)
        if text.isEmpty { moves.append(0) } else { moves.append(short: text) }
    }
}
