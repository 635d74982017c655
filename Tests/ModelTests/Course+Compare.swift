// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

extension Course {
    /// Counts and the state of every id, broker against ledger.
    func compareAll() async throws {
        for queue in queues {
            try await compareCounts(of: queue)
            var seen: Set<MessageID> = []
            for (_, message) in sent where seen.insert(message.id).inserted {
                try compare(
                    try await broker.inspector.message(message.id, in: queue),
                    ledger.message(message.id, in: queue), message.id, queue)
            }
        }
    }

    private func compareCounts(of queue: QueueName) async throws {
        var counts = try await broker.inspector.counts(of: queue)
        let own = ledger.counts(of: queue)
        // A cancelled suspect may count until a reserve passes it.
        if counts.suspects > own.suspects, own.cancelled > 0 { counts.suspects = own.suspects }
        try expect(counts, own, "counts of '\(queue)'")
    }

    private func compare(
        _ record: MessageRecord?, _ own: MessageRecord?, _ id: MessageID, _ queue: QueueName
    ) throws {
        if profile == .shortMemory {
            if record == nil, own?.state.hasEnded ?? true { return }
            if own == nil, record?.state.hasEnded ?? true { return }
        }
        guard let record, let own else {
            try expect(record?.state, own?.state, "the state of \(id) in '\(queue)'")
            return
        }
        func same<Fact: Equatable>(_ what: String, _ fact: KeyPath<MessageRecord, Fact>) throws {
            try expect(
                record[keyPath: fact], own[keyPath: fact],
                "\(what) of \(id), \(own.state.rawValue) in '\(queue)',")
        }
        try same("the state", \.state)
        try same("attempt", \.entry.attempt)
        try same("lost", \.entry.lost)
        try same("the generation", \.entry.generation)
        try same("the epoch", \.entry.epoch)
        try same("the priority", \.entry.priority)
        try same("the kind", \.entry.kindHash)
        try same("insertedAt", \.entry.insertedAt)
        // One cancelled after a retry looks to some stores like one cancelled while it ran.
        if own.state != .cancelled { try same("the count", \.count) }
        switch own.state {
        case .scheduled:
            try same("dueAt", \.dueAt)
        case .leased:
            try same("the deadline", \.leaseDeadline)
            try same("executedAt", \.executedAt)
            try same("the worker", \.worker)
        case .dead:
            try same("the reason", \.reason)
            try same("finishedAt", \.finishedAt)
        case .completed, .cancelled, .forwarded:
            try same("finishedAt", \.finishedAt)
            return
        case .ready: break
        }
        try same("the body", \.body)
        try same("the checkpoint", \.checkpoint)
        try same("the unique key", \.uniqueKey)
        try same("the number of attempts kept", \.attempts.count)
        for (place, attempt) in record.attempts.enumerated() {
            let kept = own.attempts[place]
            try expect(
                [attempt.at.milliseconds, Int64(attempt.worker), Int64(attempt.count)],
                [kept.at.milliseconds, Int64(kept.worker), Int64(kept.count)],
                "attempt \(place) of \(id)")
            try expect(attempt.reason, kept.reason, "the reason of attempt \(place) of \(id)")
        }
    }

    /// Works everything off, as one worker with nothing else in flight.
    mutating func drain() async throws {
        for queue in queues {
            try await broker.operator.resume(queue)
            ledger.resume(queue)
            var settings = ledger.settings(of: queue)
            settings.maxLeased = nil
            try await broker.operator.apply(settings, to: queue)
            ledger.apply(settings, to: queue)
        }
        clock.advance(by: .seconds(30))
        for round in 0..<200 {
            if queues.allSatisfy({ ledger.counts(of: $0).isDrained }) { return }
            if round > 20 { clock.advance(by: .seconds(30)) }
            for queue in queues {
                try await reclaim(64, in: queue)
                let first = tokens.count
                try await reserve(
                    ReserveRequest(50, takesSuspects: true, worker: 1), from: queue)
                let list = tokens[first...].map { Settlement($0.token, .ack) }
                if !list.isEmpty { try await settle(list, in: queue) }
            }
        }
        throw fail("it does not come to an end: \(ledger.counts(of: queues[0]))")
    }

    /// I1 by the broker's own figures: everything accepted has a place.
    func account() async throws {
        for queue in queues {
            let counts = try await broker.inspector.counts(of: queue)
            try expect(
                counts.completed + counts.forwarded + counts.cancelled + counts.dead
                    + counts.pruned,
                counts.enqueued, "I1: the sum of '\(queue)'")
            try expect(
                await broker.inspector.check(queue, limit: 10_000), [], "check of '\(queue)'")
            if profile == .plain { try await compareEvents(of: queue) }
        }
    }

    /// Every move once, in whatever batches the broker wrote them.
    private func compareEvents(of queue: QueueName) async throws {
        func text(_ events: [Event]) -> [String] {
            events.map { event in
                let move = event.move == .purge ? .cancel : event.move
                let entry = event.token.entry
                return "\(event.at.milliseconds) \(move.rawValue) \(entry.id) "
                    + "\(entry.generation).\(entry.epoch)"
            }.sorted()
        }
        var events: [Event] = []
        var position: EventPosition?
        while true {
            let page = try await broker.eventLog.events(in: queue, after: position, limit: 100)
            events += page.flatMap(\.events)
            guard let last = page.last else { break }
            position = last.position
        }
        let own = ledger.events(in: queue, after: nil, limit: .max).flatMap(\.events)
        let (theirs, ours) = (text(events), text(own))
        if theirs != ours {
            let missing = ours.filter { !theirs.contains($0) }.prefix(3)
            let extra = theirs.filter { !ours.contains($0) }.prefix(3)
            throw fail(
                "the events of '\(queue)' are not what happened: \(theirs.count), "
                    + "should be \(ours.count); missing \(missing), too many \(extra)")
        }
    }
}
