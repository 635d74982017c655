// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Search against a look at every message.
@Suite("Search", .timeLimit(.minutes(3))) struct SearchTests {
    @Test(arguments: BrokerKind.allCases)
    func `search finds what a look at every message finds, page by page`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            var crowd = Crowd(seed: 7)
            try await crowd.fill(broker, clock)
            let all = try await crowd.all(broker)
            #expect(Set(all.map(\.record.state)).count == 7, "every state is there")
            var meant = 0
            for round in 0..<150 {
                let text = crowd.query(of: all)
                let query = try Query(text)
                let plan = QueryPlan(query, now: clock.now())
                let expected = all.filter { query.matches($0, now: clock.now()) }.map(\.place)
                    .sorted()
                meant += expected.count
                let budget = crowd.budget()
                let found = try await broker.searchAll(plan, budget)
                #expect(found.sorted() == expected, "round \(round): \(text), \(budget)")
            }
            #expect(meant > 300)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a page keeps to its budget and says what was looked at`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...60))
            let plan = QueryPlan(try Query("unique:nowhere"), now: clock.now())
            let page = try await broker.inspector.search(
                plan, after: nil, budget: SearchBudget(records: 25))
            #expect(page.messages == [])
            #expect(page.scanned == 25)
            #expect(!page.isComplete)
            let rest = try await broker.inspector.search(
                plan, after: page.next, budget: SearchBudget(records: 1000))
            #expect(rest.scanned == 35)
            #expect(rest.isComplete)
            let few = try await broker.inspector.search(
                QueryPlan(try Query(""), now: clock.now()), after: nil,
                budget: SearchBudget(messages: 4))
            #expect(few.messages.map(\.record.id.number) == [1, 2, 3, 4])
            #expect(few.messages.allSatisfy { $0.record.body == nil })
            #expect(!few.isComplete)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `without time left a call takes one step and goes on from there`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            try await broker.settle(try await broker.reserve(1), .ack)
            let plan = QueryPlan(try Query(""), now: clock.now())
            var calls = 0
            var found: [Int] = []
            var cursor: PageCursor?
            repeat {
                let page = try await broker.inspector.search(
                    plan, after: cursor, budget: SearchBudget(time: .zero))
                found += page.messages.map(\.record.id.number)
                cursor = page.next
                calls += 1
            } while cursor != nil && calls < 20
            #expect(found == [2, 3, 1])
            #expect(calls >= 4, "five lists, one a call")
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `dead and ended messages are found newest first`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3, 4, 5, 6)
            for (index, taken) in try await broker.reserve(6).enumerated() {
                clock.advance(by: .seconds(1))
                try await broker.settle(taken, index < 3 ? .reject("no") : .ack)
            }
            let page = try await broker.inspector.search(
                QueryPlan(try Query(""), now: clock.now()), after: nil, budget: SearchBudget())
            #expect(page.messages.map(\.record.id.number) == [3, 2, 1, 6, 5, 4])
            for text in ["finished>-2s", "finished>=-1s", "finished:-4s..-3s", "finished<-4s"] {
                let query = try Query(text)
                let plan = QueryPlan(query, now: clock.now())
                let found = try await broker.searchAll(plan, SearchBudget(messages: 1))
                let meant = page.messages.filter { query.matches($0, now: clock.now()) }
                #expect(found == meant.map(\.place), "\(text)")
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `nothing with a greater id than the preview's is found`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3, 4)
            for text in ["", "id:\(Sample.id(2)),\(Sample.id(3))"] {
                let plan = QueryPlan(try Query(text), now: clock.now(), upperID: Sample.id(2))
                let page = try await broker.inspector.search(
                    plan, after: nil, budget: SearchBudget())
                #expect(page.messages.map(\.record.id.number) == (text.isEmpty ? [1, 2] : [2]))
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a cursor that does not fit is refused and never says that all was looked at`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            try await broker.settle(try await broker.reserveOne(), .reject("no"))
            func plan(_ text: String) throws -> QueryPlan {
                QueryPlan(try Query(text), now: clock.now())
            }
            let all = try plan("")
            let first = try await broker.inspector.search(
                all, after: nil, budget: SearchBudget(messages: 1))
            let next = try #require(first.next)
            let rest = try await broker.inspector.search(
                all, after: next, budget: SearchBudget())
            #expect(rest.messages.count == 2)
            let work = QueueName.work
            var strangers = [
                "", "/", "//", "x", "work/dead", "*/ready/", "x/' OR 1=1/ready/", "\u{0}/ready/1",
                "work/nowhere/x", "0/work/ready/1", String(next.text.dropLast()), next.text + "0",
            ].map { PageCursor($0) }
            // What would fit, but for its walk.
            strangers.append(SearchPosition(queue: work, walk: nil, inner: "0").cursor(of: all))
            for cursor in strangers {
                await #expect(throws: BrokerError.self, "\(cursor.text)") {
                    _ = try await broker.inspector.search(
                        all, after: cursor, budget: SearchBudget())
                }
            }
            let ready = SearchPosition(queue: work, walk: .ready, inner: nil)
            let others = [
                ("kind:mail", next), ("state:dead", ready.cursor(of: try plan("state:dead"))),
                ("queue:other", ready.cursor(of: try plan("queue:other"))),
                ("id:\(Sample.id(1))", ready.cursor(of: try plan("id:\(Sample.id(1))"))),
            ]
            for (text, cursor) in others {
                do {
                    _ = try await broker.inspector.search(
                        try plan(text), after: cursor, budget: SearchBudget())
                    Issue.record("\(text) took a cursor that is not its own")
                } catch BrokerError.invalid(let problem) {
                    #expect(problem.cause.contains("of another query"))
                    #expect(problem.advice.contains("begin"))
                }
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a cursor with a hostile place neither traps nor goes on for ever`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            try await broker.settle(try await broker.reserveOne(), .reject("no"))
            let inners = [
                "x", "1", "-1", "1.2", "9.9.9.9", "99999999999999999999", "1.zz", "1.00",
                "1.2.3.4.5.6", "-9223372036854775808", "9223372036854775807",
            ]
            for (text, walks) in [
                ("", SearchWalk.allCases), ("id:\(Sample.id(1))", [SearchWalk?.none]),
            ] as [(String, [SearchWalk?])] {
                let plan = QueryPlan(try Query(text), now: clock.now())
                for walk in walks {
                    for inner in inners {
                        let position = SearchPosition(queue: .work, walk: walk, inner: inner)
                        _ = try await broker.inspector.search(
                            plan, after: position.cursor(of: plan), budget: SearchBudget())
                    }
                }
            }
        }
    }

    @Test func `a slice of the memory broker ends when it has read its bytes`() async throws {
        try await withBroker(.memory) { broker, clock in
            try await broker.enqueue(
                (1...20).map { Sample.message($0, body: [UInt8](repeating: 0, count: 1000)) })
            let taken = try await broker.reserve(20)
            for one in taken { try await broker.settle(one, .reject("no")) }
            let source = try #require(broker as? any SearchSource)
            for text in ["state:dead size>0", "state:dead"] {
                let plan = QueryPlan(try Query(text), now: clock.now())
                let matcher = QueryMatcher(plan.query, now: plan.now)
                var found: [MessageID] = []
                var sizes: [Int] = []
                var after: String?
                repeat {
                    let slice = try await source.slice(
                        SearchStep(
                            walk: .dead, queue: .work, after: after, records: 1000, messages: 1000,
                            bytes: 2500, plan: plan, matcher: matcher))
                    found += slice.found.map(\.id)
                    sizes.append(slice.scanned)
                    after = slice.next
                } while after != nil && sizes.count < 50
                #expect(Set(found).count == 20)
                // Bodies that no term asks for cost nothing.
                #expect(sizes == (text == "state:dead" ? [20] : [3, 3, 3, 3, 3, 3, 2]))
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `text of users is only ever compared`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let texts = Crowd.hostile
            var messages: [NewMessage] = []
            for (index, text) in texts.enumerated() {
                messages.append(
                    Sample.message(
                        index, unique: "\(index)\(text)",
                        body: Envelope.body(
                            kind: .mail, contentType: .json, headers: [HeaderName.key: text],
                            payload: [UInt8]("{}".utf8))))
            }
            try await broker.enqueue(messages)
            for (index, text) in texts.enumerated() {
                for field in [QueryField.unique, .key] {
                    let query = try Query(
                        Query(
                            terms: [
                                .init(
                                    .text(field, [.exact(field == .key ? text : "\(index)\(text)")])
                                )
                            ]
                        ).description)
                    let page = try await broker.inspector.search(
                        QueryPlan(query, now: clock.now()), after: nil, budget: SearchBudget())
                    #expect(page.messages.map(\.record.id.number) == [index], "\(query)")
                }
                for field in [QueryField.kind, .queue, .id] {
                    let query = try Query(
                        Query(terms: [.init(.text(field, [.exact(text)]))]).description)
                    let page = try await broker.inspector.search(
                        QueryPlan(query, now: clock.now()), after: nil, budget: SearchBudget())
                    #expect(page.messages == [])
                    #expect(page.isComplete)
                }
            }
            #expect(try await broker.counts().ready == texts.count)
        }
    }
}

extension FoundMessage {
    /// Queue and id as text, to compare what was found.
    var place: String { "\(queue) \(record.id)" }
}

extension Broker {
    /// All pages; the test stops when a page breaks its budget or shows a message again.
    func searchAll(_ plan: QueryPlan, _ budget: SearchBudget) async throws -> [String] {
        var found: [String] = []
        var cursor: PageCursor?
        var pages = 0
        repeat {
            let page = try await inspector.search(plan, after: cursor, budget: budget)
            #expect(page.messages.count <= budget.messages)
            #expect(page.scanned <= budget.records)
            #expect(page.scanned >= page.messages.count)
            found += page.messages.map(\.place)
            cursor = page.next
            pages += 1
            try #require(pages < 3000, "the pages have no end")
        } while cursor != nil
        #expect(Set(found).count == found.count, "\(plan.query) shows a message twice")
        return found
    }
}
