// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

@Suite(.timeLimit(.minutes(3))) struct `godwit stream` {
    @Test func `looks at streams and moves keys in a file`() async throws {
        try await withPlace { try await Self.story($0) }
    }

    @Test func `looks at streams and moves keys on Redis`() async throws {
        try await withServer { server in
            try await withPlace(on: server.url) { try await Self.story($0) }
        }
    }

    private static func story(_ place: Place) async throws {
        for (key, point, time) in [
            ("printer 1", "one", "1000"), ("printer 1", "two", "2000"), ("printer 2", "x", "1000"),
        ] {
            let outcome = try await place.godwit(
                "stream", "append", "meters", key, point, "--time", time, "-o", "json")
            #expect(try outcome.object()["outcome"] as? String == "appended", "\(outcome)")
        }
        let again = try await place.godwit(
            "stream", "append", "meters", "printer 1", "two", "--time", "2000", "-o", "json")
        #expect(try again.object()["outcome"] as? String == "duplicate")
        let late = try await place.godwit(
            "stream", "append", "meters", "printer 1", "old", "--time", "500", "-o", "json")
        #expect(try late.object()["outcome"] as? String == "late")

        let list = try await place.godwit("stream", "list", "-o", "json").array()
        #expect(list.count == 1)
        #expect(list.first?["stream"] as? String == "meters")
        #expect(list.first?["pending"] as? Int == 4)
        #expect(list.first?["ready"] as? Int == 2)
        let keys = try await place.godwit("stream", "keys", "meters", "-o", "json").array()
        #expect(keys.map { $0["key"] as? String } == ["printer 1", "printer 2"])
        #expect(keys.map { $0["pending"] as? Int } == [3, 1])
        let key = try await place.godwit("stream", "key", "meters", "printer 1", "-o", "json")
        let waiting = try key.object()["waiting"] as? [[String: Any]]
        #expect(waiting?.map { $0["bytes"] as? String } == ["6f6e65", "74776f", "6f6c64"])
        #expect(waiting?.map { $0["is_late"] as? Bool } == [false, false, true])
        let text = try await place.godwit("stream", "key", "meters", "printer 1")
        #expect(text.out.contains("74776f") && text.out.contains("is_late=yes"))

        let notBlocked = try await place.godwit("stream", "redrive", "meters", "printer 1")
        #expect(notBlocked.status == 75)
        #expect(notBlocked.err.contains("is neither blocked nor parked"))
        let notIdle = try await place.godwit(
            "stream", "forget", "meters", "printer 1", "--confirm", "printer 1")
        #expect(notIdle.status == 75)
        let unsure = try await place.godwit("stream", "forget", "meters", "printer 1")
        #expect(unsure.status == 64)
        let nobody = try await place.godwit("stream", "key", "meters", "printer 9")
        #expect(nobody.status == 66 && nobody.err.contains("printer 9"))
        let noStream = try await place.godwit("stream", "show", "nothing")
        #expect(noStream.status == 66)
        let dropped = try await place.godwit("stream", "dropped", "meters", "-o", "json")
        #expect(try dropped.array().isEmpty)
    }

    @Test(arguments: ["sqlite", "redis"])
    func `the bench of streams loses nothing and keeps order and windows`(
        _ kind: String
    ) async throws {
        let arguments = [
            "bench", "--mode", "stream", "--keys", "50", "--jobs", "2000", "--window", "10",
            "--waiting", "8", "-o", "json",
        ]
        func check(_ outcome: Tool.Outcome) throws {
            #expect(outcome.status == 0, "\(outcome)")
            let report = try outcome.object()
            #expect(report["points"] as? Int == 2000)
            #expect(report["lost"] as? Int == 0)
            #expect(report["out_of_order"] as? Int == 0)
            #expect(report["short_windows"] as? Int == 0)
            #expect(report["points_per_s"] as? Double ?? 0 > 0)
            #expect(report["warm_share"] as? Double ?? 0 > 0.9, "a worker alone remembers")
        }
        if kind == "sqlite" {
            return try await withPlace { place in
                try check(
                    try await Tool.godwit.run(
                        arguments + ["--broker", place.broker], in: place.folder))
            }
        }
        try await withServer { server in
            try check(try await Tool.godwit.run(arguments + ["--broker", server.url]))
        }
    }
}
