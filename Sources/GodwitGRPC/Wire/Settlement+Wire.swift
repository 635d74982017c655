// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension Verdict {
    package init(_ wire: Godwit_V1_Verdict) throws(WireError) {
        switch wire.move {
        case .ack: self = .ack
        case .retry(let retry):
            self = .retry(
                after: Duration(wire: max(0, retry.afterMs)),
                reason: retry.reason.cut(to: BrokerLimits.reasonBytes))
        case .reject(let reject):
            self = .reject(reject.reason.cut(to: BrokerLimits.reasonBytes))
        case .release: self = .release
        case .forward(let forward): self = .forward(to: try QueueName(wire: forward.queue))
        case nil:
            throw WireError(
                "read a settlement", "its verdict is empty, or one that this server does not know",
                "Send one of ack, retry, reject, release or forward.")
        }
    }

    package var wire: Godwit_V1_Verdict {
        var wire = Godwit_V1_Verdict()
        switch self {
        case .ack: wire.ack = Godwit_V1_Ack()
        case .retry(let after, let reason):
            wire.retry.afterMs = after.wire
            wire.retry.reason = reason
        case .reject(let reason): wire.reject.reason = reason
        case .release: wire.release = Godwit_V1_Release()
        case .forward(let queue): wire.forward.queue = queue.text
        }
        return wire
    }
}

extension Settlement {
    package var wire: Godwit_V1_Settlement {
        var wire = Godwit_V1_Settlement()
        wire.token = token.wire
        wire.verdict = verdict.wire
        return wire
    }
}

extension SettleOutcome {
    package var wire: Godwit_V1_Outcome {
        switch self {
        case .done: .done
        case .stale: .stale
        case .targetBusy: .targetBusy
        }
    }

    /// Nil for `unknown` and for a word of a newer server.
    package init?(_ wire: Godwit_V1_Outcome) {
        switch wire {
        case .done: self = .done
        case .stale: self = .stale
        case .targetBusy: self = .targetBusy
        case .unknown, .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

/// Tokens of a call, and which of them are none: those are answered `stale`, in their places.
package struct TokenBatch<Entry> {
    package private(set) var entries: [Entry] = []
    /// The place of each entry in the call.
    private var places: [Int] = []
    private var count = 0

    /// `read` gives nil for a token that no store gave.
    package init<Wire>(
        _ wires: [Wire], _ read: (Wire) throws(WireError) -> Entry?
    ) throws(WireError) {
        count = wires.count
        entries.reserveCapacity(count)
        places.reserveCapacity(count)
        for (place, wire) in wires.enumerated() {
            guard let entry = try read(wire) else { continue }
            entries.append(entry)
            places.append(place)
        }
    }

    package func outcomes(_ outcomes: [SettleOutcome]) -> [Godwit_V1_Outcome] {
        if places.count == count { return outcomes.map(\.wire) }
        var wires = [Godwit_V1_Outcome](repeating: .stale, count: count)
        for (place, outcome) in zip(places, outcomes) { wires[place] = outcome.wire }
        return wires
    }
}
