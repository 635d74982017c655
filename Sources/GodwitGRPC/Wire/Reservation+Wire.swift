// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension Godwit_V1_Kinds {
    package init(_ kinds: [Kind]) {
        self.init()
        names = kinds.map(\.name)
    }

    package func kinds() throws(WireError) -> [Kind] {
        if names.count > WireLimits.kinds {
            throw WireError(
                "read the kinds of a worker", "there are \(names.count)",
                "Name at most \(WireLimits.kinds), or none for every kind.")
        }
        var kinds: [Kind] = []
        for name in names { kinds.append(try Kind(wire: name)) }
        return kinds
    }
}

extension ReserveRequest {
    package init(_ wire: Godwit_V1_ReserveRequest) throws(WireError) {
        self.init(
            min(Int(wire.count), WireLimits.reserve),
            bytes: wire.bytes == 0
                ? 256 << 10 : min(Int(wire: wire.bytes), WireLimits.answeredBytes),
            lease: Duration(wireLease: wire.leaseMs).boundedLease,
            kinds: wire.hasKinds ? try wire.kinds.kinds() : nil,
            freeSlots: wire.hasFreeSlots ? Int(wire.freeSlots) : nil,
            takesSuspects: wire.takesSuspects, worker: wire.worker)
    }

    /// As our own client asks: for the stored form, and without waiting.
    package func wire(from queue: QueueName) -> Godwit_V1_ReserveRequest {
        var wire = Godwit_V1_ReserveRequest()
        wire.queue = queue.text
        wire.count = UInt32(clamping: count)
        wire.bytes = UInt64(clamping: max(1, bytes))
        wire.leaseMs = lease.wire
        if let kinds { wire.kinds = Godwit_V1_Kinds(kinds) }
        if let freeSlots { wire.freeSlots = UInt32(clamping: freeSlots) }
        wire.takesSuspects = takesSuspects
        wire.worker = worker
        wire.raw = true
        return wire
    }
}

extension Godwit_V1_Delivery {
    /// `raw`: the stored form. A body that is not in it goes out as it is, so that nothing is lost (I11).
    package init(_ message: LeasedMessage, token: LeaseToken, raw: Bool) {
        self.init()
        self.token = token.wire
        if let bytes = message.checkpoint { checkpoint = Data(wire: bytes) }
        guard !raw, let envelope = try? Envelope(message.body) else {
            body = Data(wire: message.body)
            if !raw { self.message = Godwit_V1_Message(message.token.entry, kind: "", nil) }
            return
        }
        self.message = Godwit_V1_Message(
            message.token.entry, kind: envelope.kind, Godwit_V1_Content(envelope))
    }
}

extension Godwit_V1_Message {
    package init(_ entry: Entry, kind: String, _ content: Godwit_V1_Content?) {
        self.init()
        id = entry.id.wire
        self.kind = kind
        if let content { self.content = content }
        attempt = UInt32(entry.attempt)
        maxAttempts = UInt32(entry.maxAttempts)
        count = UInt32(entry.count) + 1
        lost = UInt32(entry.lost)
        priority = UInt32(entry.priority.band)
        insertedAtMs = entry.insertedAt.wire
    }
}

extension LeasedMessage {
    /// Nil when the token is none.
    package init?(_ wire: Godwit_V1_Delivery) {
        guard let token = LeaseToken(wire: wire.token) else { return nil }
        self.init(
            token: token, body: wire.body.array,
            checkpoint: wire.hasCheckpoint ? wire.checkpoint.array : nil)
    }
}

extension Reservation {
    /// What the client keeps of an answer; a delivery without a token can't be settled, so it is left
    /// to its lease.
    package init(_ wire: Godwit_V1_ReserveResponse) {
        self.init(
            now: Timestamp(wire: wire.nowMs), deadline: Timestamp(wire: wire.deadlineMs),
            messages: wire.deliveries.compactMap(LeasedMessage.init),
            suspectsWaiting: Int(wire.suspectsWaiting),
            nextDue: wire.hasNextDueMs ? Timestamp(wire: wire.nextDueMs) : nil)
    }

    package func wire(raw: Bool, mask: TokenMask?) -> Godwit_V1_ReserveResponse {
        var wire = Godwit_V1_ReserveResponse()
        wire.deliveries = messages.map {
            Godwit_V1_Delivery($0, token: mask.shown($0.token), raw: raw)
        }
        wire.nowMs = now.wire
        wire.deadlineMs = deadline.wire
        wire.suspectsWaiting = UInt32(clamping: suspectsWaiting)
        if let nextDue { wire.nextDueMs = nextDue.wire }
        return wire
    }
}
