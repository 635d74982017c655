// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitSQLite

/// A file with one message in every state, two error groups, a worker's note and a history beside it.
struct Stocked {
    let place: Place
    var ready = ""
    var scheduled = ""
    var completed = ""
    var dead: [String] = []

    static func lend<R>(_ body: (Stocked) async throws -> R) async throws -> R {
        try await withPlace { place in
            var stock = Stocked(place: place)
            try await stock.fill()
            return try await body(stock)
        }
    }

    private mutating func fill() async throws {
        completed = try await place.enqueue("mail", "welcome", "{\"n\": 12345678901234567890123}")
        _ = try await place.godwit("work", "mail", "--drain", "--exec", "true")
        for text in ["a", "b", "c"] {
            dead.append(try await place.enqueue("mail", "welcome", text))
        }
        _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
        dead.append(try await place.enqueue("mail", "goodbye", "d", "--max-attempts", "1"))
        _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 3")
        ready = try await place.enqueue("mail", "welcome", "{\"user\": {\"id\": 42}}")
        scheduled = try await place.enqueue("mail", "welcome", "later", "--delay", "1h")
        _ = try await place.godwit("stream", "append", "meters", "printer 1", "x", "--time", "1000")
        let broker = try await SQLiteBroker(path: place.file("jobs.db").path)
        let now = broker.time.now()
        var beat = WorkerBeat(
            number: 7, name: "host 1", queue: "mail", kinds: ["welcome"], slots: 4,
            startedAt: now, leaseMilliseconds: 30_000)
        beat.running = [.init(id: ready, kind: "welcome", since: now, attempt: 0)]
        try await broker.board.write(
            try beat.bytes(), as: "7", in: .workers, for: .seconds(600), if: .any)
        await broker.shutdown()
        try await history(now)
    }

    private func history(_ now: Timestamp) async throws {
        let history = try SQLiteHistory(path: place.file("history.db").path)
        let rows = dead.compactMap { MessageID($0) }.enumerated().map { index, id in
            RunRow(
                id: id, generation: 0, run: 1, queue: "mail", kind: "welcome", verdict: .reject,
                attempt: 0, lost: 0, count: 1, worker: 7, insertedAt: now, readyAt: now,
                executedAt: now, finishedAt: now + .milliseconds(Int64(index)),
                reason: "no such user \(index)",
                fingerprint: Fingerprint(kind: "welcome", reason: "no such user \(index)").id)
        }
        try await history.add(rows, [])
        await history.shutdown()
    }
}
