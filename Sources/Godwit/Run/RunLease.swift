// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Tells a handler, while it runs, whether its lease still holds.
final class RunLease: Sendable {
    private let lost = Atomic(false)
    /// Milliseconds; 0 while there was none.
    private let progress = Atomic<Int64>(0)

    var isLost: Bool { lost.load(ordering: .acquiring) }

    /// When the handler last wrote a checkpoint, by the worker's clock.
    var progressedAt: Timestamp? {
        let time = progress.load(ordering: .relaxed)
        return time == 0 ? nil : Timestamp(milliseconds: time)
    }

    func progressed(at now: Timestamp) { progress.store(now.milliseconds, ordering: .relaxed) }

    func lose() { lost.store(true, ordering: .releasing) }
}
