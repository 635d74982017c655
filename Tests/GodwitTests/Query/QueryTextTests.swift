// SPDX-License-Identifier: Apache-2.0
import Godwit
import Testing

/// What is typed, what it becomes, and what is refused.
@Suite("Query: text") struct QueryTextTests {
    @Test(arguments: [
        ("", ""),
        ("   ", ""),
        ("state:dead", "state:dead"),
        ("STATE:Dead", "state:dead"),
        ("name:mail.*", "kind:mail.*"),
        ("state:dead,ready\tqueue:mail", "state:dead,ready queue:mail"),
        (#"error:"timed out""#, #"error:"timed out""#),
        (#"error:"timeout""#, "error:timeout"),
        (#""say \"no\" \\ now""#, #""say \"no\" \\ now""#),
        ("timeout", "timeout"),
        ("time*", "time"),
        ("-key:HP1234", "-key:HP1234"),
        (#"-"-x""#, #"-"-x""#),
        (#"key:"a*""#, #"key:"a*""#),
        ("key:a*b", "key:a*b"),
        ("key:*", "key:*"),
        ("key:a**", "key:a**"),
        (#"unique:"""#, #"unique:"""#),
        ("kind:a..b", "kind:a..b"),
        ("args.user.id:42", "args.user.id:42"),
        (#"args.user.id:"42""#, #"args.user.id:"42""#),
        ("args.zip:00501", "args.zip:00501"),
        ("args.a:1..3,x*,true", "args.a:1..3,x*,true"),
        ("args.a>1.50", "args.a>1.5"),
        ("args.a:http://x", "args.a:http://x"),
        ("has:args.user,name", "has:args.user,kind"),
        ("attempt>3 lost:1,3..8 count>=2", "attempt>3 lost:1,3..8 count>=2"),
        ("progress<0.50", "progress<0.5"),
        ("size>1500000", "size>15e5"),
        ("age>60m", "age>1h"),
        ("age:90s..3d run<=250ms", "age:90s..3d run<=250ms"),
        ("wait>14d", "wait>2w"),
        ("inserted>-1h due<+30m", "inserted>-1h due<+30m"),
        ("inserted:2026-11-22..2026-11-23", "inserted:2026-11-22..2026-11-23"),
        ("executed<2026-11-22T10:30:00+01:00", "executed<2026-11-22T09:30Z"),
        ("finished>=2026-11-22T10:30:05.250Z", "finished>=2026-11-22T10:30:05.25Z"),
        ("verdict:crash-loop", "verdict:crashLoop"),
        ("id:0192F000-*", "id:0192f000-*"),
    ])
    func `a query is printed in its canonical form`(_ typed: String, _ canonical: String) throws {
        let query = try Query(typed)
        #expect(query.description == canonical)
        #expect(try Query(canonical) == query)
    }

    @Test(arguments: [
        ("stat:dead", 1, "unknown field `stat`; did you mean `state`? fields: id, queue, kind, "),
        ("a xyzzy:1", 3, "unknown field `xyzzy`; fields: "),
        ("état:x", 1, "unknown field `état`"),
        ("https://x.y", 1, "quote a word that holds `:`"),
        ("state:ded", 7, "unknown state `ded`; did you mean `dead`? states: ready, scheduled"),
        ("state:x*", 7, "unknown state `x`"),
        ("verdict:acked", 9, "did you mean `ack`?"),
        ("kind>3", 5, "`kind` can't be compared with `>`; write kind:…"),
        ("has>args.a", 4, "`has` can't be compared"),
        ("has:foo", 5, "unknown field `foo`"),
        ("state:", 7, "a value is missing"),
        ("state:dead,", 12, "a value is missing"),
        ("state:dead,,ready", 12, "a value is missing"),
        (":dead", 1, "a field is missing before `:`"),
        ("state:dead OR kind:x", 12, "there is no `OR`"),
        ("state=dead", 1, "write a colon instead of `=`: state:…"),
        ("a,b", 2, "a comma is 'or' inside a field only"),
        ("- state:dead", 1, "`-` negates what follows"),
        ("--a", 2, "one `-` is enough"),
        ("*", 1, "`*` alone says nothing"),
        (#""""#, 1, "nothing between the quotation marks"),
        (#"error:"""#, 7, "ask has:error"),
        (#"error:"timed out"#, 7, "never closed"),
        (#"error:"a\n""#, 9, "`\\` stands before"),
        (#"error:a"b""#, 8, "a quotation mark inside a value"),
        (#""a"b"#, 4, "a space must follow a quoted word"),
        ("key:a\u{0}b", 6, "a control character"),
        ("args:1", 1, "`args` needs a path"),
        ("args.a..b:1", 1, "`args` needs a path"),
        ("args.a>x", 8, "`x` is not a number"),
        ("args.a>1,2", 10, "`>` takes one value"),
        ("attempt:many", 9, "`many` is not a number"),
        ("attempt:3..", 9, "a range needs two ends; write attempt>=3"),
        ("attempt:..3", 9, "a range needs two ends; write attempt<=3"),
        ("attempt>3,4", 11, "`>` takes one value"),
        ("age:1h", 5, "`age` takes a comparison or a range: age>1h"),
        ("age>1hour", 5, "`1hour` is not a duration"),
        ("age>9999999d", 5, "is not a duration"),
        ("inserted>yesterday", 10, "`yesterday` is not a moment"),
        ("inserted>2026-02-30", 10, "is not a moment"),
        ("inserted:-2h..x", 15, "`x` is not a moment"),
        ("key:\u{1B}[2J", 5, "a control character"),
    ])
    func `what can't be read is told with its column and what to write`(
        _ typed: String, _ column: Int, _ reason: String
    ) throws {
        let error = try #require(throws: QueryError.self) { try Query(typed) }
        #expect(error.column == column, "\(error)")
        #expect(error.reason.contains(reason), "\(error)")
        #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test func `terms, values and bytes are bounded`() throws {
        func repeated(_ text: String, _ count: Int, _ separator: String) -> String {
            Array(repeating: text, count: count).joined(separator: separator)
        }
        #expect(try Query(repeated("a", 32, " ")).description.utf8.count == 63)
        let terms = try #require(throws: QueryError.self) { try Query(repeated("a", 33, " ")) }
        #expect(terms.reason == "a query has at most 32 terms")
        _ = try Query("key:" + repeated("a", 32, ","))
        let values = try #require(throws: QueryError.self) {
            try Query("key:" + repeated("a", 33, ","))
        }
        #expect(values.reason == "`key` has at most 32 values")
        _ = try Query(String(repeating: "a", count: 1024))
        let bytes = try #require(throws: QueryError.self) {
            try Query(String(repeating: "a", count: 1025))
        }
        #expect(bytes.reason.contains("at most 1024 bytes"))
        _ = try Query("has:args." + repeated("a", 16, "."))
        #expect(throws: QueryError.self) { try Query("has:args." + repeated("a", 17, ".")) }
    }

    @Test func `a query that was made is read as itself`() throws {
        for seed in UInt64(1)...20_000 {
            var source = QuerySource(seed: seed)
            let query = source.query()
            let text = query.description
            do {
                let read = try Query(text)
                #expect(read == query, "seed \(seed): \(text)")
                #expect(read.description == text, "seed \(seed)")
            } catch {
                Issue.record("seed \(seed): \(text): \(error)")
            }
        }
    }

    @Test func `the canonical form is never longer than what was typed`() {
        var read = 0
        for seed in UInt64(1)...20_000 {
            var source = QuerySource(seed: seed)
            let text = source.noise()
            guard let query = try? Query(text) else { continue }
            read += 1
            #expect(query.description.utf8.count <= text.utf8.count, "\(text)")
            #expect((try? Query(query.description)) == query, "\(text)")
        }
        #expect(read > 1000)
    }
}

@Suite("Query: numbers") struct ExactNumberTests {
    @Test(arguments: [
        ("9007199254740992", "9007199254740993"), ("-3", "2"), ("-3", "-2"), ("0", "1e-300"),
        ("0.1", "0.11"), ("99", "1e2"), ("18446744073709551615", "18446744073709551616"),
        ("-1e400", "0"), ("1.5", "15"),
    ])
    func `numbers of any size are in order`(_ low: String, _ high: String) throws {
        let (low, high) = (try #require(ExactNumber(low)), try #require(ExactNumber(high)))
        #expect(low < high)
        #expect(!(high < low))
        #expect(low != high)
    }

    @Test(arguments: [
        ("007", "7"), ("-0", "0"), ("1.50", "1.5"), ("100000", "1e5"), ("0.00001", "1e-5"),
        ("1e3", "1e3"), ("12e-1", "1.2"),
        ("120", "120"), ("0.05", "0.05"),
    ])
    func `a number is written in one way`(_ typed: String, _ written: String) throws {
        let number = try #require(ExactNumber(typed))
        #expect(number.description == written)
        #expect(ExactNumber(written) == number)
    }

    @Test(arguments: [
        "", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "1 ", "inf", "nan", "1e100001",
    ])
    func `what is no number is refused`(_ text: String) { #expect(ExactNumber(text) == nil) }

    @Test func `doubles are their shortest decimal`() {
        #expect(ExactNumber(0.1) == ExactNumber("0.1"))
        #expect(ExactNumber(1e21) == ExactNumber("1e21"))
        #expect(ExactNumber(Double.nan) == nil)
        #expect(ExactNumber(UInt64.max).description == "18446744073709551615")
    }
}

@Suite("Query: moments") struct MomentTextTests {
    @Test(arguments: [
        ("1970-01-01", Int64(0)), ("2026-11-22T09:30:05.25Z", 1_795_339_805_250),
        ("2024-02-29", 1_709_164_800_000), ("1969-12-31T23:59:59.999Z", -1),
        ("2026-11-22T00:00+01:00", 1_795_302_000_000), ("0000-01-01", -62_167_219_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ])
    func `ISO 8601 is read and written`(_ text: String, _ milliseconds: Int64) throws {
        let moment = try #require(Timestamp(iso8601: text))
        #expect(moment.milliseconds == milliseconds)
        let written = try #require(moment.shortISO8601)
        #expect(Timestamp(iso8601: written) == moment)
        #expect(written.utf8.count <= text.utf8.count)
    }

    @Test(arguments: [
        "2026", "2026-11", "2026-11-22T", "2026-11-22T9:00", "2026-11-22T24:00", "2026-13-01",
        "2023-02-29", "2026-11-22T10:00:00.Z", "2026-11-22T10:00", "2026-11-22T10:00:20",
        "2026-11-22T10:00 ", "2026-11-22T10:00+1",
        "0000-01-01T00:00+00:01",
    ])
    func `what is no moment is refused`(_ text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test func `every day of four centuries is written and read`() throws {
        for day in stride(from: Int64(-25_567), to: 120_000, by: 1) {
            let moment = Timestamp(milliseconds: day * 86_400_000)
            let text = try #require(moment.shortISO8601)
            #expect(Timestamp(iso8601: text) == moment)
        }
    }
}
