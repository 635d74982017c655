// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

@Suite struct `ClickHouse in trouble` {
    @Test func `keeps one of each row when connections are cut during inserts`() async throws {
        let port = try await SharedClickHouse.port()
        let database = SharedClickHouse.freshDatabase()
        let direct = try await ClickHouseHistory(
            host: "127.0.0.1", port: port, database: database)
        let proxy = try CuttingProxy(to: port)
        let history = try await ClickHouseHistory(
            host: "127.0.0.1", port: proxy.port, database: database)
        var random = RandomRows(seed: 20)
        let rows = random.rows(5000)
        var failures = 0
        for cut in [
            CuttingProxy.Cut.after(10), .after(5_000), .after(400_000), .beforeAnswer,
            .after(900_000), .beforeAnswer,
        ] {
            proxy.cut(cut)
            do { try await history.add(rows, []) } catch {
                failures += 1
                guard case .unavailable(let problem) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(problem.location.contains("127.0.0.1:\(proxy.port)"))
            }
        }
        #expect(failures == 6)
        proxy.cut(.nowhere)
        try await history.add(rows, [])
        let naive = Naive(rows: rows)
        expectSame(try await direct.stats(.all), naive.stats(.all))
        #expect(
            try await direct.runs(RunQuery(.all, limit: 10_000)).runs == naive.runs(RunQuery(.all)))
        while try await direct.prune(.endless, now: RandomRows.start + .seconds(86_400)) {}
        expectSame(try await direct.stats(.all), naive.stats(.all))
        #expect(
            try await direct.slowest(.all, limit: 4000).map(\.runMilliseconds)
                == rows.compactMap(\.runMilliseconds).sorted(by: >).prefix(4000).map { $0 })
        await history.shutdown()
        await direct.shutdown()
        proxy.stop()
    }

    private static let old =
        "Code: 241, e.displayText() = DB::Exception: Memory limit (total) exceeded, e.what() = DB::Exception"
    private static let new =
        "Code: 241. DB::Exception: (total) memory limit exceeded: would use 9.31 GiB. (MEMORY_LIMIT_EXCEEDED) (version 25.3.2.39 (official build))"

    @Test(arguments: [old, new, "{\"meta\": [], \"data\": [[1]]}\n\(old)", "", "<html>"])
    func `is not believed when it answers 200 and something else than what was asked`(
        _ body: String
    ) async throws {
        try await withCanned(200, body) { history in
            var random = RandomRows(seed: 21)
            let rows = random.rows(1)
            if !body.isEmpty {
                await expectUnavailable(body) { () async throws(HistoryError) in
                    try await history.add(rows, [])
                }
            }
            await expectUnavailable(body) { () async throws(HistoryError) in
                _ = try await history.stats(.all)
            }
            await expectUnavailable(body) { () async throws(HistoryError) in
                _ = try await history.runs(RunQuery(.all))
            }
        }
    }

    @Test(arguments: [400, 404, 500, 503], [old, new, "", "nothing it ever said before"])
    func `is reported with its own words whatever the status`(
        _ status: Int, _ body: String
    ) async throws {
        try await withCanned(status, body) { history in
            var random = RandomRows(seed: 22)
            let rows = random.rows(1)
            await expectUnavailable(body) { () async throws(HistoryError) in
                try await history.add(rows, [])
            }
        }
    }

    @Test func `that is down is named with its address and the cause`() async throws {
        let server = try cannedServer("")
        let port = server.port
        server.stop()
        do {
            _ = try await ClickHouseHistory(host: "127.0.0.1", port: port)
            Issue.record("it opened")
        } catch {
            #expect(error.description.contains("127.0.0.1:\(port)"))
            #expect(error.description.lowercased().contains("refused"), "\(error)")
        }
    }

    @Test func `that wants another password is told apart from one that is down`() async throws {
        let port = try await SharedClickHouse.port()
        let right = try await ClickHouseHistory(
            host: "127.0.0.1", port: port, database: SharedClickHouse.freshDatabase(),
            user: "guarded", password: ClickHouseServer.password)
        await right.shutdown()
        do {
            _ = try await ClickHouseHistory(
                host: "127.0.0.1", port: port, user: "guarded", password: "s3cret-wrong")
            Issue.record("it opened")
        } catch {
            guard case .invalid(let problem) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(problem.advice.contains("GODWIT_CLICKHOUSE_PASSWORD"))
            #expect(!error.description.contains("s3cret-wrong"))
        }
    }

    @Test func `is read by a user who may do no more, and made by no look`() async throws {
        let port = try await SharedClickHouse.port()
        let name = SharedClickHouse.freshDatabase()
        func look() async throws -> any HistoryStore {
            try await History.open(
                "clickhouse+http://reader@127.0.0.1:\(port)/\(name)", creates: false)
        }
        for _ in 0..<2 {
            do {
                _ = try await look()
                Issue.record("a history that nobody made was opened")
            } catch {
                #expect("\(error)".contains("no history in the database '\(name)'"), "\(error)")
            }
        }
        let archive = try await ClickHouseHistory(host: "127.0.0.1", port: port, database: name)
        var random = RandomRows(seed: 23)
        try await archive.add(random.rows(10), [])
        let reader = try await look()
        #expect(try await reader.runs(RunQuery(.all, limit: 100)).runs.count == 10)
        #expect(try await reader.stats(.all).reduce(0) { $0 + $1.runs } == 10)
        #expect(try await reader.groups(.all, limit: 10).isEmpty == false)
        await reader.shutdown()
        await archive.shutdown()
    }

    @Test(arguments: ["a`b", "a.b", "", "x; DROP DATABASE default", "é", "a b"])
    func `has no database of a name that is not plain`(_ name: String) async throws {
        await #expect(throws: HistoryError.self) {
            _ = try await ClickHouseHistory(
                host: "127.0.0.1", port: try await SharedClickHouse.port(), database: name)
        }
    }

    /// A history that was opened while all was well, and then meets `status` and `body` only.
    private func withCanned(
        _ status: Int, _ body: String, _ test: (ClickHouseHistory) async throws -> Void
    ) async throws {
        let proxyTarget = try await SharedClickHouse.port()
        let proxy = try SwitchingServer(
            first: proxyTarget,
            then:
                "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        )
        let history = try await ClickHouseHistory(
            host: "127.0.0.1", port: proxy.port, database: SharedClickHouse.freshDatabase())
        proxy.switchOver()
        // Finds out that its open connections are gone.
        _ = try? await history.stats(.all)
        try await test(history)
        await history.shutdown()
        proxy.stop()
    }

    private func expectUnavailable(
        _ body: String, _ call: () async throws(HistoryError) -> Void
    ) async {
        do throws(HistoryError) {
            try await call()
            Issue.record("it was believed")
        } catch {
            guard case .unavailable(let problem) = error else {
                Issue.record("\(error)")
                return
            }
            if body.contains("Code: 241") { #expect(problem.cause.contains("Code: 241")) }
        }
    }
}

@Suite struct `A literal of ClickHouse` {
    @Test func `comes back as it was, whatever it holds`() async throws {
        let port = try await SharedClickHouse.port()
        let server = try await ClickHouseHistory(
            host: "127.0.0.1", port: port, database: SharedClickHouse.freshDatabase())
        var random = Seeded(23)
        let hostile: [String] = [
            "'", "\\", "\\'", "\\\\'", "''", "\u{0}", "\\0", "\n", "\\n", "\u{7F}", "\\x27", "--",
            "/*",
            "`", "\"", "\u{2028}", "é", "😀", "\\N", "%", "{x:String}", "';",
        ]
        var texts = hostile
        for _ in 0..<300 {
            texts.append(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    Bool.random(using: &random)
                        ? hostile.randomElement(using: &random)!
                        : String(UnicodeScalar(UInt8.random(in: 0...127, using: &random)))
                }.joined())
        }
        // A name of each text, and a question by each: one row each, and only its own.
        let rows = Set(texts).enumerated().map { index, text in
            var maker = RandomRows(seed: UInt64(index))
            var row = maker.row(at: Int64(index))
            row.queue = text
            return row
        }
        try await server.add(rows, [])
        for row in rows {
            let literal = ClickHouseLiteral.string(row.queue)
            #expect(isClosed(literal), "\(literal)")
            var range = HistoryRange.all
            range.queue = row.queue
            #expect(try await server.runs(RunQuery(range)).runs == [row])
        }
        await server.shutdown()
    }

    /// The one quotation mark without a backslash before it is the last byte.
    private func isClosed(_ literal: String) -> Bool {
        let bytes = Array(literal.utf8)
        guard bytes.first == 0x27 else { return false }
        var place = 1
        while place < bytes.count {
            if bytes[place] == 0x5C {
                place += 2
                continue
            }
            if bytes[place] == 0x27 { return place == bytes.count - 1 }
            guard bytes[place] >= 0x20 else { return false }
            place += 1
        }
        return false
    }
}
