// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos

extension QueueCounts {
    package init(_ wire: Godwit_V1_CountsResponse) {
        self.init()
        ready = Int(wire: wire.ready)
        scheduled = Int(wire: wire.scheduled)
        leased = Int(wire: wire.leased)
        dead = Int(wire: wire.dead)
        suspects = Int(wire: wire.suspects)
        isPaused = wire.isPaused
        enqueued = Int(wire: wire.enqueued)
        completed = Int(wire: wire.completed)
        retried = Int(wire: wire.retried)
        released = Int(wire: wire.released)
        rejected = Int(wire: wire.rejected)
        forwarded = Int(wire: wire.forwarded)
        cancelled = Int(wire: wire.cancelled)
        lost = Int(wire: wire.lost)
        redriven = Int(wire: wire.redriven)
        pruned = Int(wire: wire.pruned)
    }

    package var wire: Godwit_V1_CountsResponse {
        var wire = Godwit_V1_CountsResponse()
        wire.ready = UInt64(clamping: ready)
        wire.scheduled = UInt64(clamping: scheduled)
        wire.leased = UInt64(clamping: leased)
        wire.dead = UInt64(clamping: dead)
        wire.suspects = UInt64(clamping: suspects)
        wire.isPaused = isPaused
        wire.enqueued = UInt64(clamping: enqueued)
        wire.completed = UInt64(clamping: completed)
        wire.retried = UInt64(clamping: retried)
        wire.released = UInt64(clamping: released)
        wire.rejected = UInt64(clamping: rejected)
        wire.forwarded = UInt64(clamping: forwarded)
        wire.cancelled = UInt64(clamping: cancelled)
        wire.lost = UInt64(clamping: lost)
        wire.redriven = UInt64(clamping: redriven)
        wire.pruned = UInt64(clamping: pruned)
        return wire
    }
}

extension KindCount {
    package init(_ wire: Godwit_V1_KindCount) {
        self.init(
            kind: wire.kind, hash: wire.hash, ready: Int(wire: wire.ready),
            oldestReadyAt: wire.hasOldestReadyAtMs ? Timestamp(wire: wire.oldestReadyAtMs) : nil)
    }

    package var wire: Godwit_V1_KindCount {
        var wire = Godwit_V1_KindCount()
        wire.kind = kind
        wire.hash = hash
        wire.ready = UInt64(clamping: ready)
        if let oldestReadyAt { wire.oldestReadyAtMs = oldestReadyAt.wire }
        return wire
    }
}

extension QueueSettings {
    package init(_ wire: Godwit_V1_QueueSettings) {
        self.init()
        keepMilliseconds = wire.keepMs
        keepRecords = Int(wire: wire.keepRecords)
        keepDeadMilliseconds = wire.keepDeadMs
        keepDead = Int(wire: wire.keepDead)
        maxMessages = Int(wire: wire.maxMessages)
        maxLeased = wire.hasMaxLeased ? Int(wire: wire.maxLeased) : nil
        tracksLeases = wire.tracksLeases
        recordsEvents = wire.recordsEvents
    }

    /// Checked before: no number of it is negative.
    package var wire: Godwit_V1_QueueSettings {
        var wire = Godwit_V1_QueueSettings()
        wire.keepMs = keepMilliseconds
        wire.keepRecords = UInt64(clamping: keepRecords)
        wire.keepDeadMs = keepDeadMilliseconds
        wire.keepDead = UInt64(clamping: keepDead)
        wire.maxMessages = UInt64(clamping: maxMessages)
        if let maxLeased { wire.maxLeased = UInt64(clamping: maxLeased) }
        wire.tracksLeases = tracksLeases
        wire.recordsEvents = recordsEvents
        return wire
    }
}
