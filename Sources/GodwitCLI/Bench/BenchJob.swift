// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// What the bench sends: a typed job like any other.
struct BenchJob: Job {
    static let name = "bench"

    /// Which one of the run it is.
    let index: Int
    /// When it was handed to `enqueue`, by ``Stopwatch``.
    let sentAt: UInt64
    let text: String

    /// The text that makes the payload about `bytes` long.
    static func filler(for bytes: Int) throws -> String {
        let bare = try MessagePackCodec().encode(
            BenchJob(index: 1_000_000, sentAt: .max / 3, text: "")
        ).count
        return String(repeating: "x", count: max(0, bytes - bare))
    }
}

/// Nanoseconds since the machine started, for measuring within one process.
enum Stopwatch {
    static func now() -> UInt64 {
        let (seconds, attoseconds) = origin.duration(to: .now).components
        return UInt64(clamping: seconds) * 1_000_000_000
            + UInt64(clamping: attoseconds / 1_000_000_000)
    }

    private static let origin = ContinuousClock.now

    /// What passed since `start`, in seconds.
    static func seconds(since start: UInt64) -> Double { Double(now() &- start) / 1e9 }
}

/// Which jobs were handled, and how long each had waited.
final class BenchRecord: Sendable {
    private struct State {
        var seen: [UInt64]
        var handled = 0
        var duplicates = 0
        var last: UInt64 = 0
        var waits = Percentiles()
    }

    private let state: Mutex<State>
    let expected: Int
    /// Fires when all are handled.
    let finished = Signal()

    init(expecting count: Int) {
        expected = count
        state = Mutex(State(seen: Array(repeating: 0, count: (count + 63) / 64)))
    }

    func handled(_ job: BenchJob) {
        let now = Stopwatch.now()
        let isLast = state.withLock { state -> Bool in
            guard job.index >= 0, job.index < expected else { return false }
            let bit: UInt64 = 1 << UInt64(job.index % 64)
            if state.seen[job.index / 64] & bit != 0 {
                state.duplicates += 1
                return false
            }
            state.seen[job.index / 64] |= bit
            state.handled += 1
            state.last = now
            state.waits.record(now &- job.sentAt)
            return state.handled == expected
        }
        if isLast { finished.fire() }
    }

    var handledCount: Int { state.withLock { $0.handled } }
    var duplicates: Int { state.withLock { $0.duplicates } }
    var waits: Percentiles { state.withLock { $0.waits } }
}
