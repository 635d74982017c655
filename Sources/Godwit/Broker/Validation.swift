// SPDX-License-Identifier: Apache-2.0

/// What no broker accepts, said in one place: every broker calls these before it begins.
///
/// A refusal is for the whole call, and nothing of it was accepted.
package struct Validation: Sendable {
    package var limits: BrokerLimits
    /// Which store, for the reader of an error.
    package var location: String

    package init(_ limits: BrokerLimits, location: String) {
        self.limits = limits
        self.location = location
    }

    /// `now` is the store's clock; only a resend needs it.
    package func check(
        _ messages: [NewMessage], for queue: QueueName, at now: @autoclosure () -> Timestamp
    ) throws(BrokerError) {
        try checkKinds(messages, for: queue)
        for message in messages {
            if message.isResend { try checkTime(of: message.id, for: queue, now()) }
            if message.body.isEmpty {
                throw refusal(
                    "enqueue \(message.id) to '\(queue)'", "the body is empty",
                    "Send at least a header; an empty payload has one too.")
            }
            if message.body.count > limits.messageBytes {
                throw refusal(
                    "enqueue \(message.id) to '\(queue)'",
                    "the body has \(message.body.count) bytes, \(limits.messageBytes) are allowed",
                    "Store the data elsewhere and enqueue where it is.")
            }
            if message.maxAttempts == 0 {
                throw refusal(
                    "enqueue \(message.id) to '\(queue)'", "no attempt is allowed (maxAttempts 0)",
                    "Allow 1 to 254 attempts, or 255 for without end.")
            }
            guard let key = message.uniqueKey else { continue }
            if key.isEmpty || key.utf8.count > BrokerLimits.uniqueKeyBytes {
                throw refusal(
                    "enqueue \(message.id) to '\(queue)'",
                    "the unique key has \(key.utf8.count) bytes",
                    "Use 1 to \(BrokerLimits.uniqueKeyBytes) bytes; a digest of a longer key will do."
                )
            }
        }
    }

    /// Two names under one hash could not be told apart in an entry.
    private func checkKinds(
        _ messages: [NewMessage], for queue: QueueName
    ) throws(BrokerError) {
        guard let first = messages.first?.kind else { return }
        var seen: [UInt32: Kind] = [:]
        for message in messages where message.kind != first {
            if seen.isEmpty { seen[first.hash] = first }
            let other = seen.updateValue(message.kind, forKey: message.kind.hash)
            if let other, other != message.kind { throw clash(message.kind, other, in: queue) }
        }
    }

    package func clash(_ kind: Kind, _ known: Kind, in queue: QueueName) -> BrokerError {
        refusal(
            "enqueue '\(kind)' to '\(queue)'", "the kind '\(known)' has the same CRC-32",
            "Rename one of the two, or give it a queue of its own.")
    }

    /// How far an id may be ahead of the store's clock. Why so far: a producer whose clock was set back
    /// by up to 70 minutes goes on with rising ids, and must be able to send them again.
    private static let idTolerance = Duration.seconds(7200)

    /// Why: once a record is pruned, only the id's own time says that it may have been here (I12).
    private func checkTime(
        of id: MessageID, for queue: QueueName, _ now: Timestamp
    ) throws(BrokerError) {
        let cause: String
        if let created = id.timestamp {
            if created <= now + Self.idTolerance { return }
            cause = "the id says it was made \(created - now) from now, on the store's clock"
        } else {
            cause = "the id tells no time: it is not a UUID of version 7"
        }
        throw refusal(
            "enqueue \(id) to '\(queue)' as a resend", cause,
            "Make ids with `Queue.newID()`, or leave them to the queue and use a unique key.")
    }

    package func check(
        _ settlements: [Settlement], in queue: QueueName
    ) throws(BrokerError) {
        for settlement in settlements {
            guard case .forward(let target) = settlement.verdict, target == queue else { continue }
            throw refusal(
                "forward \(settlement.token.id) to '\(target)'", "it is there already",
                "Release it to run it again at once, or retry to run it later.")
        }
    }

    package func check(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) throws(BrokerError) {
        for checkpoint in checkpoints where checkpoint.bytes.count > BrokerLimits.checkpointBytes {
            throw refusal(
                "checkpoint \(checkpoint.token.id) in '\(queue)'",
                "it has \(checkpoint.bytes.count) bytes, "
                    + "\(BrokerLimits.checkpointBytes) are allowed",
                "Keep only what the next run needs to go on.")
        }
    }

    package func check(
        _ request: ReserveRequest, from queue: QueueName
    ) throws(BrokerError) {
        try check(lease: request.lease, for: "reserve from '\(queue)'")
    }

    package func check(
        lease: Duration, for what: @autoclosure () -> String
    ) throws(BrokerError) {
        if lease.milliseconds < 1 {
            throw refusal(
                what(), "a lease of \(lease) is over before it begins",
                "Ask for at least a millisecond; 30 seconds is the default.")
        }
    }

    package func check(
        _ settings: QueueSettings, for queue: QueueName
    ) throws(BrokerError) {
        let numbers: [(String, Int64)] = [
            ("keep", settings.keepMilliseconds), ("keepRecords", Int64(settings.keepRecords)),
            ("keepDead", settings.keepDeadMilliseconds),
            ("keepDead count", Int64(settings.keepDead)),
            ("maxMessages", Int64(settings.maxMessages)),
            ("maxLeased", Int64(settings.maxLeased ?? 0)),
        ]
        for (name, value) in numbers where value < 0 {
            throw refusal(
                "apply settings to '\(queue)'", "\(name) is \(value)", "Use zero or more.")
        }
    }

    func refusal(_ what: String, _ cause: String, _ advice: String) -> BrokerError {
        .invalid(
            BrokerError.Problem(what: what, location: location, cause: cause, advice: advice))
    }
}
