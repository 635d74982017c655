// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

extension Course {
    mutating func run(_ word: Step.Word) async throws {
        switch word {
        case .enqueue: try await enqueue()
        case .resend: try await resend()
        case .reserve: try await reserve()
        case .settle: try await settle()
        case .settleAgain: try await settleAgain()
        case .settleAndReserve: try await settleAndReserve()
        case .renew: try await renew()
        case .checkpoint: try await checkpoint()
        case .promote:
            let queue = anyQueue()
            let expected = ledger.promote(in: queue, now: now)
            if expected > 1 { meet("promote several") }
            try expect(await broker.promote(in: queue), expected, "promote")
        case .reclaim: try await reclaim()
        case .prune:
            let queue = anyQueue()
            let limit = roll(1..<65)
            let expected = ledger.prune(limit, in: queue, now: now)
            if expected > 0 { meet("prune dead letters") }
            try expect(await broker.prune(limit, in: queue), expected, "prune")
        case .redrive:
            let (queue, ids) = someIDs()
            let expected = ledger.redrive(ids, in: queue, now: now)
            for outcome in expected {
                let isTaken = outcome != .redriven && outcome != .notDead
                meet(isTaken ? "redrive taken" : "redrive \(outcome)")
            }
            try expect(await broker.operator.redrive(ids, in: queue), expected, "redrive")
        case .cancel:
            if profile == .littleRoom { return }
            let (queue, ids) = someIDs()
            try await cancel(ids, in: queue)
        case .promoteByID:
            let (queue, ids) = someIDs()
            let expected = ledger.promote(ids, in: queue, now: now)
            for isPromoted in expected { meet("promote by id \(isPromoted)") }
            try expect(await broker.operator.promote(ids, in: queue), expected, "promote by id")
        case .pause:
            try await broker.operator.pause(queues[0])
            ledger.pause(queues[0])
        case .resume:
            try await broker.operator.resume(queues[0])
            ledger.resume(queues[0])
        case .purge:
            let queue = anyQueue()
            let expected = ledger.purge(queue, limit: 10_000, now: now)
            if expected > 0 { meet("purge something") }
            try expect(await broker.operator.purge(queue, limit: 10_000), expected, "purge")
        case .apply: try await apply()
        case .advance:
            clock.advance(by: .milliseconds(chance(30) ? roll(1..<1000) : roll(1000..<15_000)))
        case .die: try await die()
        }
    }

    // MARK: In

    private mutating func enqueue() async throws {
        let queue = anyQueue()
        var messages: [NewMessage] = []
        for _ in 0..<roll(1..<6) { messages.append(fresh()) }
        // The same id in both queues is allowed, and a forward then meets an older copy.
        if profile == .plain, chance(25), let twin = sent.last(where: { $0.queue != queue }),
            // A forward may have brought it there; a first send says that the id is new.
            ledger.message(twin.message.id, in: queue) == nil,
            !ledger.isTombstone(twin.message.id, in: queue),
            !sent.contains(where: { $0.queue == queue && $0.message.id == twin.message.id })
        {
            messages.append(twin.message)
        }
        let isResend = chance(10)
        if isResend {
            // Past every id so far, so that no horizon can hide it.
            clock.advance(by: .milliseconds(1))
            messages = messages.map { message in
                var message = message
                message.id = freshID()
                message.isResend = true
                return message
            }
        }
        try await enqueue(messages, to: queue)
    }

    private mutating func fresh() -> NewMessage {
        let due: NewMessage.Due =
            switch roll(0..<10) {
            case 0: .after(.milliseconds(roll(1..<20_000)))
            case 1: .at(now + .milliseconds(roll(0..<20_000) - 5_000))
            case 2: .after(.milliseconds(10_000))
            default: .now
            }
        let size = chance(20) ? roll(65..<5_000) : roll(1..<65)
        return NewMessage(
            id: freshID(), kind: Self.kinds[roll(0..<3)],
            priority: ([0, 3, 3, 3, 7] as [Priority])[roll(0..<5)],
            maxAttempts: ([1, 3, 255, 255] as [UInt8])[roll(0..<4)],
            uniqueKey: chance(25) ? "key \(roll(0..<4))" : nil, due: due,
            body: [UInt8](repeating: UInt8(roll(0..<256)), count: size))
    }

    private mutating func resend() async throws {
        guard !sent.isEmpty else { return }
        let queue = sent[roll(0..<sent.count)].queue
        let here = sent.filter { $0.queue == queue }
        var messages: [NewMessage] = []
        for _ in 0..<roll(1..<4) {
            var message = here[roll(0..<here.count)].message
            message.isResend = true
            messages.append(message)
        }
        try await enqueue(messages, to: queue)
    }

    private mutating func enqueue(_ messages: [NewMessage], to queue: QueueName) async throws {
        let answers = try await broker.enqueue(messages, to: queue)
        guard answers.count == messages.count else {
            throw fail("enqueue answered \(answers.count) for \(messages.count) messages")
        }
        // Why: with little room it is the store's choice whom it refuses, since it may take a batch
        // list by list; what counts is that it refuses only when it is full, and takes no more.
        let taken = zip(messages, answers).filter { $0.1 != .full }
        let expected = ledger.enqueue(taken.map(\.0), to: queue, now: now)
        if taken.count < messages.count {
            meet("enqueue full")
            if !ledger.isFull(queue) { throw fail("enqueue answered full, and there is room") }
        }
        for (place, (message, answer)) in taken.enumerated() {
            let own = expected[place]
            if case .duplicate = own { meet("enqueue duplicate") } else { meet("enqueue \(own)") }
            if answer == .enqueued, !message.isResend || own == .enqueued {
                sent.append((queue, message))
            }
            if answer == own { continue }
            let isForgettable =
                profile == .shortMemory || ledger.isTombstone(message.id, in: queue)
            let isRefusal = { (outcome: EnqueueOutcome) in
                outcome == .known || outcome == .unknown
            }
            if isForgettable, message.isResend, isRefusal(answer), isRefusal(own) { continue }
            throw fail("enqueue of \(message) answered \(answer), and should \(own)")
        }
    }

    // MARK: Out

    private mutating func request() -> ReserveRequest {
        let count = roll(1..<8)
        let kinds: [Kind]? =
            chance(50) ? nil : Self.kinds.filter { _ in chance(60) } + (chance(20) ? ["new"] : [])
        return ReserveRequest(
            count, bytes: chance(20) ? roll(1..<8192) : 256 << 10,
            lease: .milliseconds(roll(3_000..<20_000)), kinds: kinds,
            freeSlots: chance(40) ? roll(0..<count + 1) : nil, takesSuspects: chance(50),
            worker: UInt32(roll(1..<4)))
    }

    private mutating func accept(
        _ reservation: Reservation, _ request: ReserveRequest, _ queue: QueueName
    ) throws {
        do {
            try ledger.accept(reservation, for: request, from: queue, now: now)
        } catch {
            throw fail("\(error)")
        }
        meet(reservation.messages.isEmpty ? "reserve nothing" : "reserve something")
        for message in reservation.messages {
            tokens.append((queue, message.token))
            if message.token.entry.isSuspect { meet("reserve a suspect") }
            if message.token.entry.generation > 0 { meet("reserve a redriven one") }
            if message.checkpoint != nil { meet("reserve with a checkpoint") }
        }
    }

    private mutating func reserve() async throws {
        let queue = anyQueue()
        try await reserve(request(), from: queue)
    }

    mutating func reserve(_ request: ReserveRequest, from queue: QueueName) async throws {
        try accept(try await broker.reserve(request, from: queue), request, queue)
    }

    // MARK: Runs

    /// Up to `limit` tokens of one queue in the order they were handed out: mostly those that hold a
    /// lease, some that do not any more, now and then one that never did. No id twice.
    private mutating func someTokens(_ limit: Int) -> (QueueName, [LeaseToken]) {
        guard !tokens.isEmpty else { return (queues[0], []) }
        let queue = tokens[max(0, tokens.count - 1 - roll(0..<8))].queue
        let wanted = roll(1..<limit + 1)
        var picked: [Int] = []
        var ids: Set<MessageID> = []
        for place in tokens.indices.reversed() where tokens[place].queue == queue {
            let token = tokens[place].token
            let isHeld = ledger.message(token.id, in: queue)?.state == .leased
            guard chance(isHeld ? 60 : 8), ids.insert(token.id).inserted else { continue }
            picked.append(place)
            if picked.count == wanted { break }
        }
        var list = picked.reversed().map { tokens[$0].token }
        if !list.isEmpty, chance(5) {
            let token = list[0]
            list[0] = LeaseToken(
                entry: token.entry, executedAt: token.executedAt, nonce: token.nonce ^ 1)
        }
        return (queue, list)
    }

    private mutating func verdict(in queue: QueueName) -> Verdict {
        switch roll(0..<12) {
        case 0..<4: .ack
        case 4, 5:
            .retry(
                after: .milliseconds(chance(20) ? 0 : roll(1..<10_000)),
                reason: chance(5) ? String(repeating: "long äöü ", count: 300) : "failed")
        case 6, 7: .reject("it is no use")
        case 8, 9: .release
        default: .forward(to: queue == queues[0] ? queues[1] : queues[0])
        }
    }

    private mutating func settlements() -> (QueueName, [Settlement]) {
        let (queue, list) = someTokens(5)
        var settlements: [Settlement] = []
        // A worker that stops releases all it holds; a few failing alike are likely too.
        let common = chance(35) ? verdict(in: queue) : nil
        for token in list {
            var verdict = common ?? verdict(in: queue)
            if profile == .littleRoom, case .forward(to: queues[0]) = verdict { verdict = .ack }
            settlements.append(Settlement(token, verdict))
        }
        return (queue, settlements)
    }

    mutating func settle(_ list: [Settlement], in queue: QueueName) async throws {
        let before = list.map { ledger.message($0.token.id, in: queue) }
        let answers = try await broker.settle(list, in: queue)
        try compare(answers, list, before, ledger.settle(list, in: queue, now: now))
        lastSettle = (queue, list)
    }

    private mutating func settle() async throws {
        let (queue, list) = settlements()
        if !list.isEmpty { try await settle(list, in: queue) }
    }

    private mutating func settleAgain() async throws {
        if let (queue, list) = lastSettle { try await settle(list, in: queue) }
    }

    private mutating func settleAndReserve() async throws {
        let (queue, list) = settlements()
        let request = request()
        let before = list.map { ledger.message($0.token.id, in: queue) }
        let answer = await broker.settle(list, thenReserve: request, from: queue)
        let settled = try answer.settled.get()
        try compare(settled, list, before, ledger.settle(list, in: queue, now: now))
        try accept(try answer.reserved.get(), request, queue)
    }

    private mutating func compare(
        _ answers: [SettleOutcome], _ list: [Settlement], _ before: [MessageRecord?],
        _ expected: [SettleOutcome]
    ) throws {
        guard answers.count == expected.count else {
            throw fail("settle answered \(answers.count) for \(expected.count) tokens")
        }
        for (place, settlement) in list.enumerated() {
            let isRepetition = expected[place] == .done && before[place]?.state != .leased
            meet("\(settlement.verdict.move) \(isRepetition ? "again" : "\(expected[place])")")
            if answers[place] == expected[place] { continue }
            let record = before[place]
            // A repetition is told from a stale token by the record, which may be gone; and a reject
            // of a message that died as `crash-loop` meanwhile may count as one.
            let mayDiffer =
                profile == .shortMemory && record?.state.hasEnded ?? true
                || record?.state == .dead && settlement.verdict.move == .reject
            if mayDiffer, answers[place] != .targetBusy, expected[place] != .targetBusy { continue }
            throw fail(
                "settle of \(settlement.token) with \(settlement.verdict) answered "
                    + "\(answers[place]), and should \(expected[place])")
        }
    }

    private mutating func renew() async throws {
        let (queue, list) = someTokens(5)
        let lease = Duration.milliseconds(roll(1..<20_000))
        let expected = ledger.renew(list, for: lease, in: queue, now: now)
        for outcome in expected { meet("renew \(outcome)") }
        try expect(await broker.renew(list, for: lease, in: queue), expected, "renew")
    }

    private mutating func checkpoint() async throws {
        let (queue, list) = someTokens(3)
        let checkpoints = list.map { Checkpoint($0, [UInt8(roll(0..<256)), UInt8(roll(0..<256))]) }
        let expected = ledger.checkpoint(checkpoints, in: queue)
        for outcome in expected { meet("checkpoint \(outcome)") }
        try expect(await broker.checkpoint(checkpoints, in: queue), expected, "checkpoint")
    }

    private mutating func reclaim() async throws {
        let queue = anyQueue()
        // Why all: which of several leases that ran out at one moment a smaller limit takes is the store's
        // choice; the contract tests the limit.
        try await reclaim(64, in: queue)
    }

    mutating func reclaim(_ limit: Int, in queue: QueueName) async throws {
        let expected = ledger.reclaim(limit, in: queue, now: now)
        if expected.ready > 1 { meet("reclaim several") }
        if expected.dead > 0 { meet("reclaim dead") }
        try expect(await broker.reclaim(limit, in: queue), expected, "reclaim")
    }

    /// A worker that takes what there is and dies: what makes suspects.
    private mutating func die() async throws {
        let queue = anyQueue()
        for _ in 0..<2 {
            try await reserve(
                ReserveRequest(4, lease: .milliseconds(500), takesSuspects: true, worker: 9),
                from: queue)
            clock.advance(by: .milliseconds(500 + roll(0..<100)))
            try await reclaim(64, in: queue)
        }
    }

    // MARK: Operator

    private mutating func someIDs() -> (QueueName, [MessageID]) {
        let queue = anyQueue()
        var ids: [MessageID] = []
        let here = sent.filter { $0.queue == queue || chance(30) }
        guard !here.isEmpty else { return (queue, []) }
        for _ in 0..<roll(1..<6) {
            let id = here[roll(0..<here.count)].message.id
            if !ids.contains(id) { ids.append(id) }
        }
        return (queue, ids)
    }

    private mutating func cancel(_ ids: [MessageID], in queue: QueueName) async throws {
        for id in ids {
            if let state = ledger.message(id, in: queue)?.state { meet("cancel \(state)") }
        }
        try expect(
            await broker.operator.cancel(ids, in: queue),
            ledger.cancel(ids, in: queue, now: now), "cancel")
    }

    private mutating func apply() async throws {
        let queue = queues[0]
        var settings = try await broker.operator.settings(of: queue)
        try expect(settings, ledger.settings(of: queue), "settings")
        settings.maxLeased = chance(50) ? roll(1..<6) : nil
        if profile != .littleRoom { settings.keepDead = roll(1..<5) }
        settings.recordsEvents = chance(70)
        try await broker.operator.apply(settings, to: queue)
        ledger.apply(settings, to: queue)
    }
}
