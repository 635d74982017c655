// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Crypto

extension Track {
    /// The id of the track's message: a hash of bucket, key and version (its etag where the store keeps
    /// no versions), so that whoever announces it again adds nothing while the record is kept.
    ///
    /// It has the form of a UUID of version 7 without a time of its own.
    public var messageID: MessageID {
        let parts = [bucket, key, versionID ?? etag]
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        let hash = Array(SHA256.hash(data: Array(text.utf8)))
        let word = { (range: Range<Int>) in hash[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return MessageID(
            high: word(0..<8) & 0x0000_0000_0000_0FFF | 0x7000,
            low: word(8..<16) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// Puts the track into a queue; false when it is there, or was within the time that records are kept.
    @discardableResult
    package func enqueue(into queue: Queue) async throws -> Bool {
        let message = try queue.message(for: self, id: messageID, [])
        let outcomes = try await queue.broker.enqueue([message], to: queue.name)
        switch outcomes.first {
        case .enqueued: return true
        case .full:
            throw TaskFailure.retry("queue '\(queue.name)' holds its maximum of messages")
        case .known, .duplicate, .unknown, nil: return false
        }
    }
}
