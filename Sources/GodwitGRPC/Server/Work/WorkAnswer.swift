// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Godwit
package import GodwitProtos

/// What a client said in one message of a Work stream; nil for what is no token.
package struct WorkInput: Sendable {
    package var credits = 0
    package var settlements: [Settlement?] = []
    package var renewals: [LeaseToken?] = []
    package var checkpoints: [Checkpoint?] = []
    package var stops = false

    package init() {}

    /// Throws for what can never be accepted: the stream ends with it.
    init(_ wire: Godwit_V1_WorkRequest, in queue: QueueName, _ caller: Caller) throws {
        credits = Int(wire.credits)
        stops = wire.stop
        for (count, what) in [
            (wire.settlements.count, "settlements"), (wire.renewals.count, "renewals"),
            (wire.checkpoints.count, "checkpoints"),
        ] where count > WireLimits.entries {
            throw WireError(
                "work in '\(queue)'", "a message has \(count) \(what)",
                "Send at most \(WireLimits.entries) in one message.")
        }
        settlements = try wire.settlements.map { try Self.settlement($0, in: queue, caller) }
        renewals = wire.renewals.map { LeaseToken(wire: $0).map { caller.mask.known($0) } }
        checkpoints = try wire.checkpoints.map { progress in
            guard progress.bytes.count <= BrokerLimits.checkpointBytes else {
                throw WireError(
                    "keep a checkpoint in '\(queue)'", "it has \(progress.bytes.count) bytes",
                    "Send at most \(BrokerLimits.checkpointBytes).")
            }
            return LeaseToken(wire: progress.token).map {
                Checkpoint(caller.mask.known($0), progress.bytes.array)
            }
        }
    }

    private static func settlement(
        _ wire: Godwit_V1_Settlement, in queue: QueueName, _ caller: Caller
    ) throws -> Settlement? {
        let verdict = try Verdict(wire.verdict)
        if case .forward(let target) = verdict {
            guard caller.may(.produce, target) else { throw Caller.denial }
            // Why here: the store would refuse the others of the batch with it.
            guard target != queue else {
                throw WireError(
                    "forward in '\(queue)'", "the target is the queue itself",
                    "Release it, or retry it.")
            }
        }
        return LeaseToken(wire: wire.token).map { Settlement(caller.mask.known($0), verdict) }
    }
}

/// What the server says in one message of a Work stream.
package struct WorkAnswer: Sendable {
    package var deliveries: [LeasedMessage] = []
    package var now = Timestamp(milliseconds: 0)
    package var deadline = Timestamp(milliseconds: 0)
    package var settled: [Godwit_V1_Outcome] = []
    package var renewed: [Godwit_V1_Outcome] = []
    package var kept: [Godwit_V1_Outcome] = []
    package var failure: BrokerError?
    package var isClosing = false

    package init() {}

    func wire(raw: Bool, mask: TokenMask?) -> Godwit_V1_WorkResponse {
        var wire = Godwit_V1_WorkResponse()
        if !deliveries.isEmpty {
            wire.deliveries = deliveries.map {
                Godwit_V1_Delivery($0, token: mask.shown($0.token), raw: raw)
            }
            wire.nowMs = now.wire
            wire.deadlineMs = deadline.wire
        }
        wire.settled = settled
        wire.renewed = renewed
        wire.kept = kept
        if let failure { wire.failure = Godwit_V1_Failure(failure) }
        wire.closing = isClosing
        return wire
    }
}
