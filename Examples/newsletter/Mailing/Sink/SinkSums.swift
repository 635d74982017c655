// SPDX-License-Identifier: Apache-2.0
import Crypto
import Synchronization

/// What a sink has taken, as its report.
package struct SinkReport: Sendable, Hashable, Codable {
    /// Mails that were taken, repeats among them.
    package var raw = 0
    /// Message-IDs among them.
    package var distinct = 0
    /// Mails whose Message-ID had been taken before: dropped.
    package var repeats = 0
    /// Recipients answered by a 4xx.
    package var deferred = 0
    /// Recipients answered by a 5xx, and mails without a Message-ID.
    package var rejected = 0
    /// Connections that were cut on purpose behind a mail that was taken.
    package var cut = 0
    package var connections = 0
    package var bytes = 0

    package init() {}
}

/// Counts mails and tells repeats by their Message-ID; keeps 16 bytes for each, and at most a number of them.
final class SinkSums: Sendable {
    /// The first half of SHA-256: two of a hundred million ids are the same once in 10²².
    private struct Digest: Hashable {
        let high: UInt64
        let low: UInt64

        init(_ id: some Sequence<UInt8>) {
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in SHA256.hash(data: Array(id)).prefix(16).enumerated() {
                if index < 8 {
                    words.0 = words.0 << 8 | UInt64(byte)
                } else {
                    words.1 = words.1 << 8 | UInt64(byte)
                }
            }
            (high, low) = words
        }
    }

    private struct State {
        var report = SinkReport()
        var seen: Set<Digest> = []
    }

    private let limit: Int
    private let dropsRepeats: Bool
    private let state = Mutex(State())

    init(limit: Int, dropsRepeats: Bool) {
        self.limit = limit
        self.dropsRepeats = dropsRepeats
    }

    var report: SinkReport { state.withLock(\.report) }

    /// Takes a mail; false when there is no room for one more id.
    func take(id: some Sequence<UInt8>, bytes: Int) -> Bool {
        let digest = Digest(id)
        return state.withLock { state in
            guard state.seen.count < limit || state.seen.contains(digest) else { return false }
            state.report.raw += 1
            state.report.bytes += bytes
            if state.seen.insert(digest).inserted || !dropsRepeats {
                state.report.distinct += 1
            } else {
                state.report.repeats += 1
            }
            return true
        }
    }

    func count(_ change: (inout SinkReport) -> Void) {
        state.withLock { change(&$0.report) }
    }
}
