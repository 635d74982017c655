// SPDX-License-Identifier: Apache-2.0
import Godwit
import Testing

/// Which messages a query means.
@Suite("Query: match", .timeLimit(.minutes(2))) struct QueryMatchTests {
    @Test func `the matcher says what a naive evaluator says`() {
        var meant = 0
        var asked = 0
        for seed in UInt64(1)...3000 {
            var source = QuerySource(seed: seed)
            let models = (0..<6).map { _ in QueryModel(&source) }
            for _ in 0..<8 {
                // One or two terms: more are seldom true together.
                let query = Query(terms: Array(source.query().terms.prefix(2)))
                let matcher = QueryMatcher(query, now: QueryModel.now)
                for model in models {
                    let expected = model.isMeant(by: query)
                    asked += 1
                    meant += expected ? 1 : 0
                    let found = matcher.matches(model.record, in: model.queue)
                    #expect(found == expected, "seed \(seed): \(query) and \(model)")
                    if expected {
                        // An early stage never refuses what the last one takes.
                        #expect(matcher.matches(model.record, in: model.queue, at: .place))
                        #expect(matcher.matches(model.record, in: model.queue, at: .record))
                    }
                }
            }
        }
        #expect(meant > asked / 10 && meant < asked * 9 / 10, "\(meant) of \(asked)")
    }

    private static func record(
        _ json: String = "{}", headers: [String: String] = [:], reason: String? = nil
    ) -> MessageRecord {
        let now = QueryModel.now
        var record = MessageRecord(
            state: .dead,
            entry: Entry(
                id: MessageID(high: 0x0192_F000_0000_7000, low: 0x8000_0000_0000_0001), kindHash: 1,
                maxAttempts: 25, insertedAt: now + .seconds(-7200), readyAt: now + .seconds(-3600),
                attempt: 4),
            kind: "mail.send", count: 5)
        record.executedAt = now + .seconds(-3590)
        record.finishedAt = now + .seconds(-3500)
        record.worker = 17
        record.reason = reason
        record.body = Envelope.body(
            kind: "mail.send", contentType: .json, headers: headers, payload: [UInt8](json.utf8))
        return record
    }

    @Test(arguments: [
        ("", true), ("state:dead", true), ("-state:dead", false), ("state:ready,dead", true),
        ("kind:mail.*", true), ("name:mail.send", true), ("kind:mail", false),
        ("kind:mail.sen_", false),
        ("kind:MAIL.send", false), ("queue:mail", true), ("id:0192F000-*", true),
        ("worker:17", true),
        ("worker:1", false), ("tag:eu", true), ("tag:us", true), ("tag:e", false),
        ("-tag:eu", false),
        ("key:HP1234", true), ("-key:HP9", true), ("-key:HP1234", false),
        ("trace:4bf92f3577b34da6a3ce929d0e0e4736", true),
        (#"error:"TIMED out""#, true), ("error:refused,timed", true), ("-error:refused", true),
        ("unique:x", false), ("-unique:x", true), ("has:unique", false), ("-has:unique", true),
        ("has:error,unique", true), ("fingerprint:0*", false),
        ("attempt>3", true), ("attempt>4", false), ("attempt:3..8", true), ("count:1,5", true),
        ("lost:0", true), ("age>1h", true), ("age>2h", false), ("age>=2h", true),
        ("wait:10s..10s", true),
        ("run:90s..90s", true), ("run>90s", false), ("inserted>-3h", true), ("inserted>-1h", false),
        ("finished<-58m", true), ("due<+1h", false), ("-due<+1h", true),
        ("args.user.id:42", true), (#"args.user.id:"42""#, false), ("args.user.id:42.0", true),
        ("args.user.id>41.5", true), ("args.user.id:40..42", true), ("args.user.name:ann", true),
        ("args.user.name:An*", false), ("args.user.name>1", false), ("args.zip:00501", true),
        ("args.zip:501", false), ("args.big:9007199254740993", true),
        ("args.big:9007199254740992", false), ("args.big>9007199254740992", true),
        ("args.big<9007199254740994", true), ("args.list:b", true), ("args.list.1:b", true),
        ("args.list.0:b", false), ("args.list.9:b", false), ("args.flag:true", true),
        ("args.flag:1", false), ("args.none:null", true), ("has:args.none", true),
        ("has:args.user.id", true), ("has:args.user.age", false), ("-args.user.age:3", true),
        ("args.user:ann", false), ("args.quote:\"say \\\"no\\\"\"", true), ("ANN", true),
        ("-ann", false),
        ("timed", true), ("42", true), ("nowhere", false), ("user", false), ("size>10", true),
        ("state:dead kind:mail.* attempt>3 ann", true), ("state:dead attempt>4", false),
    ])
    func `examples mean what people expect`(_ text: String, _ isMeant: Bool) throws {
        let record = Self.record(
            #"{"user": {"id": 42, "name": "ann"}, "zip": "00501", "big": 9007199254740993, "#
                + #""list": ["a", "b", ["c"]], "flag": true, "none": null, "quote": "say \"no\""}"#,
            headers: [
                HeaderName.key: "HP1234", HeaderName.tags: "eu,us",
                HeaderName.trace: "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            ], reason: "Timed out after 30 s")
        let query = try Query(text)
        #expect(query.matches(record, in: "mail", now: QueryModel.now) == isMeant)
    }

    @Test(arguments: ["%", "_", "'", "a%", "*", "\\", "\u{0}", "' OR 1=1 --", "é", "e\u{301}"])
    func `signs of other languages stand for themselves`(_ text: String) throws {
        var record = Self.record()
        record.uniqueKey = text
        for other in ["", "x", "aa", "ab", "é", "e\u{301}", "1", "\\\\"]
        where Array(other.utf8) != Array(text.utf8) {
            let query = Query(terms: [.init(.text(.unique, [.exact(other)]))])
            #expect(!query.matches(record, in: "mail", now: QueryModel.now))
        }
        let query = try Query(Query(terms: [.init(.text(.unique, [.exact(text)]))]).description)
        #expect(query.matches(record, in: "mail", now: QueryModel.now))
    }

    @Test func `relative times are resolved when the query is matched`() throws {
        let record = Self.record()
        let query = try Query("inserted>-1h")
        #expect(!query.matches(record, in: "mail", now: QueryModel.now))
        #expect(query.matches(record, in: "mail", now: QueryModel.now + .seconds(-5400)))
    }

    @Test(arguments: [
        "", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "nul", "\"", "\"\\u", "\"\\ud800", "[1,",
        "{\"a\" 1}",
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 50_000),
        "1" + String(repeating: "0", count: 5000), "1e999999999",
    ])
    func `damaged and hostile payloads are passed over`(_ json: String) throws {
        let record = Self.record(json)
        for text in ["args.a.a:1", "has:args.a", "-args.0:1", "word", "args.x>1"] {
            _ = try Query(text).matches(record, in: "mail", now: QueryModel.now)
        }
        #expect(try !Query("args.zz:1").matches(record, in: "mail", now: QueryModel.now))
    }

    @Test func `a body that is no envelope has a size and nothing else`() throws {
        var record = Self.record()
        record.body = [0xC1, 1, 2]
        #expect(
            try Query("size:3 -has:key -has:tag -has:args.a").matches(
                record, in: "mail", now: QueryModel.now))
        record.body = nil
        #expect(try Query("-has:size -has:key").matches(record, in: "mail", now: QueryModel.now))
    }

    @Test func `tags and a key go along as headers`() async throws {
        let broker = MemoryBroker()
        let queue = Queue("mail", on: broker)
        let id = try await queue.enqueue(
            Greet(name: "ann"), .tags(["eu", "", "beta,eu"]), .tags(["us"]), .key("HP1234")
        ).id
        let record = try #require(try await broker.inspector.message(id, in: "mail"))
        let now = broker.time.now()
        for text in ["tag:eu", "tag:beta", "tag:us", "key:HP1234", "args.name:ann", "kind:*"] {
            #expect(try Query(text).matches(record, in: "mail", now: now), "\(text)")
        }
        #expect(try Query("-tag:x").matches(record, in: "mail", now: now))
        let headers = try Envelope(try #require(record.body)).headers
        #expect(headers[HeaderName.tags] == "eu,beta,us")
    }
}
