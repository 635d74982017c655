// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Ledger and memory broker` {
    let queue: QueueName = "q"
    let start = Timestamp(milliseconds: 1_767_225_600_000)

    private func message(
        _ kind: Kind = "k", priority: Priority = .normal, attempts: UInt8 = 255,
        key: String? = nil, due: NewMessage.Due = .now, size: Int = 10
    ) -> NewMessage {
        NewMessage(
            id: MessageID(at: start), kind: kind, priority: priority, maxAttempts: attempts,
            uniqueKey: key, due: due, body: [UInt8](repeating: 7, count: size))
    }

    private func reserve(
        _ ledger: inout Ledger, _ count: Int, at now: Timestamp, suspects: Bool = false,
        bytes: Int = 1 << 20, free: Int? = nil
    ) -> [LeaseToken] {
        let request = ReserveRequest(
            count, bytes: bytes, lease: .seconds(10), freeSlots: free, takesSuspects: suspects)
        return ledger.reserve(request, from: queue, now: now, nonce: 1).messages.map(\.token)
    }

    @Test func `released and reclaimed messages return to the head in their order`() {
        var ledger = Ledger()
        let sent = (0..<6).map { _ in message() }
        _ = ledger.enqueue(sent, to: queue, now: start)
        let first = reserve(&ledger, 4, at: start)
        _ = ledger.settle(
            [Settlement(first[0], .release), Settlement(first[1], .release)], in: queue, now: start)
        let late = start + .seconds(10)
        #expect(ledger.reclaim(64, in: queue, now: late) == Reclaimed(ready: 2, dead: 0))
        let order = [2, 3, 0, 1, 4, 5].map { sent[$0].id }
        #expect(reserve(&ledger, 10, at: late).map(\.id) == order)
    }

    @Test func `a suspect runs alone and is dead after its third lost lease`() {
        var ledger = Ledger()
        var now = start
        _ = ledger.enqueue([message()], to: queue, now: now)
        for lost in 1...3 {
            _ = ledger.enqueue([message()], to: queue, now: now)
            let company = reserve(&ledger, 10, at: now)
            #expect(company.contains { $0.entry.lost == 2 } == false)
            if lost == 3 {
                let alone = reserve(&ledger, 10, at: now, suspects: true)
                #expect(alone.count == 1 && alone[0].entry.lost == 2)
            }
            for token in company where token.entry.lost == 0 && token.entry.epoch > 0 {
                Issue.record("a neighbour was charged")
            }
            _ = ledger.settle(
                company.filter { $0.entry.lost + 1 != lost }.map { Settlement($0, .ack) },
                in: queue, now: now)
            now = now + .seconds(11)
            let reclaimed = ledger.reclaim(64, in: queue, now: now)
            #expect(reclaimed.dead == (lost == 3 ? 1 : 0))
        }
        let dead = ledger.messages(.dead, in: queue, after: nil, limit: 10).messages
        #expect(dead.map(\.reason) == ["crash-loop"])
    }

    @Test func `a forward moves the same id with the next epoch, there and back`() {
        var ledger = Ledger()
        let sent = message(key: "key")
        _ = ledger.enqueue([sent], to: queue, now: start)
        let first = reserve(&ledger, 1, at: start)[0]
        let there = [Settlement(first, .forward(to: "other"))]
        #expect(ledger.settle(there, in: queue, now: start) == [.done])
        #expect(ledger.settle(there, in: queue, now: start) == [.done])
        #expect(ledger.counts(of: "other").ready == 1)
        let request = ReserveRequest(1)
        let second = ledger.reserve(request, from: "other", now: start, nonce: 2).messages[0]
        #expect(second.token.entry.epoch == 1 && second.token.entry.hasUniqueKey == false)
        let back = [Settlement(second.token, .forward(to: queue))]
        #expect(ledger.settle(back, in: "other", now: start) == [.done])
        #expect(ledger.message(sent.id, in: queue)?.entry.epoch == 2)
        #expect(ledger.message(sent.id, in: queue)?.state == .ready)
        #expect(ledger.enqueue([message(key: "key")], to: queue, now: start) == [.enqueued])
    }

    @Test func `a resend is known while the record is kept, and unknown after that`() {
        var ledger = Ledger()
        var settings = QueueSettings()
        settings.keepRecords = 1
        ledger.apply(settings, to: queue)
        let sent = (0..<3).map { _ in message() }
        _ = ledger.enqueue(sent, to: queue, now: start)
        for token in reserve(&ledger, 3, at: start) {
            _ = ledger.settle([Settlement(token, .ack)], in: queue, now: start)
        }
        let again = sent.map { message in
            var message = message
            message.isResend = true
            return message
        }
        #expect(ledger.enqueue(again, to: queue, now: start) == [.unknown, .unknown, .known])
    }

    @Test func `a unique key is free after every ending, and a redrive asks for it again`() throws {
        var ledger = Ledger()
        let endings: [@Sendable (inout Ledger, LeaseToken) -> Void] = [
            { _ = $0.settle([Settlement($1, .ack)], in: "q", now: start) },
            { _ = $0.settle([Settlement($1, .forward(to: "other"))], in: "q", now: start) },
            { _ = $0.cancel([$1.id], in: "q", now: start) },
            {
                _ = $0.settle([Settlement($1, .release)], in: "q", now: start)
                _ = $0.purge("q", limit: 10, now: start)
            },
            { _ = $0.settle([Settlement($1, .reject("no"))], in: "q", now: start) },
        ]
        var last: MessageID?
        for end in endings {
            let sent = message(key: "key")
            #expect(ledger.enqueue([sent], to: queue, now: start) == [.enqueued])
            let loser = ledger.enqueue([message(key: "key")], to: queue, now: start)
            #expect(loser == [.duplicate(of: sent.id)])
            end(&ledger, reserve(&ledger, 1, at: start)[0])
            #expect(ledger.check(queue, limit: 100).isEmpty)
            last = sent.id
        }
        let dead = try #require(last)
        let holder = message(key: "key")
        _ = ledger.enqueue([holder], to: queue, now: start)
        let taken = ledger.redrive([dead], in: queue, now: start)
        #expect(taken == [.uniqueKeyTaken(by: holder.id)])
        _ = ledger.cancel([holder.id], in: queue, now: start)
        #expect(ledger.redrive([dead], in: queue, now: start) == [.redriven])
        let again = ledger.enqueue([message(key: "key")], to: queue, now: start)
        #expect(again == [.duplicate(of: dead)])
    }

    @Test func `the judge names what is broken`() {
        var ledger = Ledger()
        let sent = [message(priority: 0), message(), message()]
        _ = ledger.enqueue(sent, to: queue, now: start)
        var twin = ledger
        let request = ReserveRequest(3)
        let honest = twin.reserve(request, from: queue, now: start, nonce: 1)
        func verdict(_ change: (inout Reservation) -> Void) -> LedgerViolation.Invariant? {
            var judge = ledger
            var reservation = honest
            change(&reservation)
            do {
                try judge.accept(reservation, for: request, from: queue, now: start)
                return nil
            } catch {
                return error.invariant
            }
        }
        #expect(verdict { _ in } == nil)
        #expect(verdict { $0.messages.removeLast() } == nil)
        #expect(verdict { $0.messages.removeFirst() } == .priority)
        #expect(verdict { $0.messages.swapAt(1, 2) } == .order)
        #expect(verdict { $0.messages[2] = $0.messages[1] } == .i4)
        #expect(verdict { $0.messages[0].body = [1] } == .i1)
        #expect(verdict { $0.deadline = start } == .i4)
    }

    @Test func `a paused queue wakes nobody until it is resumed`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        try await broker.pause(queue)
        _ = try await broker.enqueue([message()], to: queue)
        async let waited: Void = broker.wait(for: nil, in: queue, upTo: .seconds(60))
        while clock.pendingTimers < 1 { await Task.yield() }
        try await broker.resume(queue)
        await waited
        #expect(clock.now() == VirtualClock().now())
    }

    @Test func `bytes and free slots bound what is handed out`() {
        var ledger = Ledger()
        _ = ledger.enqueue((0..<4).map { _ in message(size: 1000) }, to: queue, now: start)
        #expect(reserve(&ledger, 10, at: start, bytes: 2048).count == 2)
        #expect(reserve(&ledger, 10, at: start, bytes: 10).count == 1)
        _ = ledger.enqueue((0..<4).map { _ in message(attempts: 1) }, to: queue, now: start)
        #expect(reserve(&ledger, 10, at: start, free: 2).count == 2)
        #expect(reserve(&ledger, 10, at: start, free: 0).isEmpty)
    }

    @Test func `pages list everything once, in order`() {
        var ledger = Ledger()
        let sent = (0..<25).map { number in
            message(
                number % 2 == 0 ? "a" : "b", due: number < 10 ? .after(.seconds(25 - number)) : .now
            )
        }
        _ = ledger.enqueue(sent, to: queue, now: start)
        for (state, count) in [(MessageState.ready, 15), (.scheduled, 10)] {
            var seen: [MessageID] = []
            var cursor: PageCursor?
            repeat {
                let page = ledger.messages(state, in: queue, after: cursor, limit: 4)
                seen += page.messages.map(\.id)
                cursor = page.next
            } while cursor != nil
            #expect(seen.count == count && Set(seen).count == count)
            if state == .scheduled { #expect(seen == sent[..<10].reversed().map(\.id)) }
        }
        #expect(ledger.check(queue, limit: 100).isEmpty)
    }

    @Test func `a wait ends when a scheduled message is due`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        _ = try await broker.enqueue([message(due: .after(.seconds(5)))], to: queue)
        async let waited: Void = broker.wait(for: ["k"], in: queue, upTo: .seconds(60))
        while clock.pendingTimers < 2 { await Task.yield() }
        clock.advance(by: .seconds(5))
        await waited
        #expect(try await broker.counts(of: queue).ready == 1)
        #expect(clock.pendingTimers == 0)
    }

    @Test func `a broker that was shut down says so`() async throws {
        let broker = MemoryBroker()
        async let waited: Void = broker.wait(for: nil, in: queue, upTo: .seconds(600))
        await broker.shutdown()
        await waited
        await #expect(throws: BrokerError.self) { try await broker.counts(of: queue) }
    }
}
