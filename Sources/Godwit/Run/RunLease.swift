// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Tells a handler, while it runs, whether its lease still holds.
final class RunLease: Sendable {
    private let lost = Atomic(false)

    var isLost: Bool { lost.load(ordering: .acquiring) }

    func lose() { lost.store(true, ordering: .releasing) }
}
