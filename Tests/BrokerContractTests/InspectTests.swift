// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Reads.
@Suite("Inspect", .timeLimit(.minutes(2))) struct InspectTests {
    @Test(arguments: BrokerKind.allCases)
    func `queues are listed by name once they were used`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            #expect(try await broker.inspector.queues() == [])
            _ = try await broker.enqueue([Sample.message(1)], to: "zebra")
            _ = try await broker.enqueue([Sample.message(1)], to: "ant:1")
            _ = try await broker.enqueue([Sample.message(2)], to: "zebra")
            #expect(try await broker.inspector.queues() == ["ant:1", "zebra"])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a queue never used counts nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.counts() == QueueCounts())
            #expect(try await broker.find(1) == nil)
            #expect(try await broker.numbers(.ready) == [])
            #expect(try await broker.inspector.check(.work, limit: 10) == [])
        }
    }

    @Test(.tags(.order, .priority), arguments: BrokerKind.allCases)
    func `pages list ready messages in the order of service`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            for number in 1...20 {
                try await broker.enqueue(
                    Sample.message(number, priority: number.isMultiple(of: 4) ? 0 : 5))
            }
            var seen: [Int] = []
            var cursor: PageCursor?
            var pages = 0
            repeat {
                let page = try await broker.inspector.messages(
                    .ready, in: .work, after: cursor, limit: 6)
                #expect(page.messages.count <= 6)
                #expect(page.messages.allSatisfy { $0.state == .ready && $0.body == nil })
                seen += page.messages.map(\.id.number)
                cursor = page.next
                pages += 1
            } while cursor != nil && pages < 30
            #expect(Set(seen).count == seen.count)
            #expect(seen == (try await broker.reserveAll().numbers))
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `scheduled messages are listed by due, leased ones by deadline`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue([
                Sample.message(1, due: .after(.seconds(30))),
                Sample.message(2, due: .after(.seconds(10))),
                Sample.message(3, due: .after(.seconds(20))),
            ])
            #expect(try await broker.numbers(.scheduled) == [2, 3, 1])
            try await broker.enqueue(4, 5, 6)
            _ = try await broker.reserveOne(lease: .seconds(50))
            _ = try await broker.reserveOne(lease: .seconds(20))
            _ = try await broker.reserveOne(lease: .seconds(40))
            #expect(try await broker.numbers(.leased) == [5, 6, 4])
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `finished messages are listed from the oldest to the newest`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(5, 1, 4, 2)
            for taken in try await broker.reserve(4) {
                clock.advance(by: .seconds(1))
                try await broker.settle(taken, .ack)
            }
            #expect(try await broker.numbers(.completed) == [5, 1, 4, 2])
        }
    }

    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `everything accepted is accounted for, in one state each`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...40))
            try await broker.settle(broker.reserve(5), .ack)
            try await broker.settle(broker.reserve(4), .reject("no"))
            try await broker.settle(broker.reserve(3), .retry(after: .seconds(3600)))
            try await broker.settle(broker.reserve(2), .forward(to: .other))
            try await broker.settle(broker.reserve(6), .release)
            try await broker.lose(2, on: clock)
            _ = try await broker.reserve(7)
            _ = try await broker.operator.cancel([40, 39].map { Sample.id($0) }, in: .work)
            _ = try await broker.operator.purge(.work, limit: 3)

            var places: [Int: MessageState] = [:]
            for state in MessageState.allCases {
                for number in try await broker.numbers(state) {
                    #expect(places[number] == nil, "message \(number) is in two states")
                    places[number] = state
                    #expect(try await broker.state(number) == state)
                }
            }
            #expect(places.count == 40)
            func listed(_ state: MessageState) -> Int { places.values.count { $0 == state } }
            let counts = try await broker.counts()
            #expect(counts.enqueued == 40)
            #expect(counts.ready == listed(.ready) && counts.leased == listed(.leased))
            #expect(counts.scheduled == listed(.scheduled) && counts.dead == listed(.dead))
            #expect(counts.completed == 5 && counts.rejected == 4 && counts.retried == 3)
            #expect(counts.forwarded == 2 && counts.released == 6 && counts.lost == 2)
            #expect(counts.cancelled == 5)
            let live = counts.ready + counts.leased + counts.scheduled + counts.dead
            let ended = counts.completed + counts.forwarded + counts.cancelled
            #expect(live + ended == counts.enqueued)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
        }
    }
}

/// What an archiver reads.
@Suite("Events", .timeLimit(.minutes(2))) struct EventsTests {
    private static func all(_ broker: any Broker) async throws -> [Event] {
        var events: [Event] = []
        var position: EventPosition?
        while true {
            let batches = try await broker.eventLog.events(in: .work, after: position, limit: 2)
            guard let last = batches.last else { return events }
            #expect(batches.count <= 2)
            events += batches.flatMap(\.events)
            position = last.position
        }
    }

    @Test(.tags(.i5), arguments: BrokerKind.allCases)
    func `every move that ends a run leaves an event`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...6))
            let taken = try await broker.reserve(6, worker: 8)
            clock.advance(by: .seconds(2))
            _ = try await broker.settle(
                [
                    Settlement(taken[0].token, .ack),
                    Settlement(taken[1].token, .retry(after: .seconds(60), reason: "busy")),
                    Settlement(taken[2].token, .reject("broken")),
                    Settlement(taken[3].token, .release),
                    Settlement(taken[4].token, .forward(to: .other)),
                ], in: .work)
            let events = try await Self.all(broker)
            #expect(events.count == 5)
            let expected: [(Event.Move, String?)] = [
                (.ack, ""), (.retry, "busy"), (.reject, "broken"), (.release, nil),
                (.forward, "other"),
            ]
            for (index, (move, text)) in expected.enumerated() {
                let event = try #require(events.first { $0.move == move }, "no \(move)")
                #expect(event.token == taken[index].token)
                #expect(event.at == clock.now())
                if let text { #expect(event.text == text) }
            }
        }
    }

    @Test(.tags(.i5), arguments: BrokerKind.allCases)
    func `what an operator or the clock did leaves an event too`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(times: 3, on: clock)
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            _ = try await broker.operator.cancel([Sample.id(1)], in: .work)
            try await broker.enqueue(2)
            _ = try await broker.operator.purge(.work, limit: 1)
            let events = try await Self.all(broker)
            #expect(
                events.map(\.move) == [.reclaim, .reclaim, .crashLoop, .redrive, .cancel, .purge])
            #expect(events.map(\.token.id.number) == [1, 1, 1, 1, 1, 2])
            #expect(events[1].token.entry.lost == 1 && events[2].token.entry.lost == 2)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `what changed nothing leaves no event`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            let second = try await broker.reserveOne()
            try await broker.settle(first, .ack)
            try await broker.settle(second, .ack)
            try await broker.settle(second, .ack)
            #expect(try await Self.all(broker).map(\.move) == [.reclaim, .ack])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `the text of an event is brief`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let reason = String(repeating: "ü", count: 500)
            try await broker.settle(broker.reserveOne(), .reject(reason))
            let text = try #require(try await Self.all(broker).first).text
            #expect(text.utf8.count <= 200 && text.utf8.count > 190)
            #expect(reason.hasPrefix(text))
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a queue without events records none and works the same`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.recordsEvents = false }
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(3)
            try await broker.settle(taken[0], .ack)
            try await broker.settle(taken[1], .reject("no"))
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            _ = try await broker.operator.cancel([Sample.id(3)], in: .work)
            #expect(try await Self.all(broker).isEmpty)
            let counts = try await broker.counts()
            #expect(counts.completed == 1 && counts.rejected == 1 && counts.cancelled == 1)
        }
    }

    @Test(.tags(.i1, .i10), arguments: BrokerKind.allCases)
    func `prune drops what is archived and only that`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            for number in 1...4 {
                try await broker.enqueue(number)
                try await broker.settle(broker.reserveOne(), .ack)
                clock.advance(by: .seconds(1))
            }
            let log = broker.eventLog
            let batches = try await log.events(in: .work, after: nil, limit: 10)
            #expect(batches.map { $0.events.count } == [1, 1, 1, 1])
            try await broker.prune(64, in: .work)
            #expect(try await Self.all(broker).count == 4, "nothing is archived yet")

            try await log.markArchived(through: batches[2].position, in: .work)
            try await log.markArchived(through: batches[0].position, in: .work)
            try await broker.prune(64, in: .work)
            #expect(try await Self.all(broker).map(\.token.id.number) == [4])
            let rest = try await log.events(in: .work, after: batches[2].position, limit: 10)
            #expect(rest == [batches[3]])
            clock.advance(by: .seconds(3600))
            try await broker.prune(64, in: .work)
            #expect(try await Self.all(broker).count == 1, "never past the mark")
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `events that nobody archives go when their time is over`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepMilliseconds = 10_000 }
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .ack)
            clock.advance(by: .seconds(5))
            try await broker.prune(64, in: .work)
            #expect(try await Self.all(broker).count == 1)
            clock.advance(by: .seconds(6))
            try await broker.prune(64, in: .work)
            #expect(try await Self.all(broker).isEmpty)
        }
    }
}
