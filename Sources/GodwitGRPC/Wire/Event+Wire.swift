// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension Event {
    /// Nil for a move that this client does not know, or what is no token.
    package init?(_ wire: Godwit_V1_Event) {
        guard let move = Move(rawValue: wire.move), let token = LeaseToken(wire: wire.token)
        else { return nil }
        self.init(move: move, at: Timestamp(wire: wire.atMs), token: token, text: wire.text)
    }

    /// Where clients are told apart, without the secret part of its token.
    ///
    /// Why, when the run of an event has ended: messages that were handed out by one call share that
    /// secret, and some of them may still run. The worker's number, the upper half, is no secret.
    package func wire(_ mask: TokenMask?) -> Godwit_V1_Event {
        var wire = Godwit_V1_Event()
        wire.move = move.rawValue
        wire.atMs = at.wire
        wire.token =
            mask == nil
            ? token.wire
            : LeaseToken(
                entry: token.entry, executedAt: token.executedAt, nonce: (token.nonce >> 32) << 32
            ).wire
        wire.text = text
        return wire
    }
}

extension EventBatch {
    /// Nil where one of its events can't be read: without it a history would lack a run.
    package init?(_ wire: Godwit_V1_EventBatch) {
        var events: [Event] = []
        for event in wire.events {
            guard let event = Event(event) else { return nil }
            events.append(event)
        }
        self.init(
            position: EventPosition(wire.position), events: events, extra: wire.extra.array)
    }

    package func wire(_ mask: TokenMask?) -> Godwit_V1_EventBatch {
        var wire = Godwit_V1_EventBatch()
        wire.position = position.text
        wire.events = events.map { $0.wire(mask) }
        wire.extra = Data(wire: extra)
        return wire
    }

    /// About how many bytes it takes on its way.
    package var wireSize: Int {
        events.reduce(extra.count + 60) { $0 + $1.text.utf8.count + LeaseToken.size + 24 }
    }
}

extension EventBacklog {
    package init(_ wire: Godwit_V1_BacklogResponse) {
        self.init(
            waiting: Int(wire: wire.waiting),
            oldestAt: wire.hasOldestAtMs ? Timestamp(wire: wire.oldestAtMs) : nil,
            dropped: Int(wire: wire.dropped),
            archived: wire.hasArchived ? EventPosition(wire.archived) : nil)
    }

    package var wire: Godwit_V1_BacklogResponse {
        var wire = Godwit_V1_BacklogResponse()
        wire.waiting = UInt64(clamping: waiting)
        if let oldestAt { wire.oldestAtMs = oldestAt.wire }
        wire.dropped = UInt64(clamping: dropped)
        if let archived { wire.archived = archived.text }
        return wire
    }
}
