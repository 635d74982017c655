// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Testing

@Suite struct `Waking` {
    /// A look at the file every 120 ms is what wakes; without it the wait ends by itself, much later.
    @Test(.timeLimit(.minutes(4)))
    func `one who waits on a file is woken by another process within 250 ms`() async throws {
        try await withPlace { place in
            let path = place.file("jobs.db").path
            let broker = try await SQLiteBroker(path: path)
            let clock = SystemTime()
            var delays: [Int64] = []
            // The best of several: the machine may be busy with something else now and then.
            while delays.count < 8, delays.min() ?? .max > 250 {
                async let waiting: Void = broker.wait(
                    for: nil, in: "mail", upTo: .seconds(15))
                while !broker.isWatching, !Task.isCancelled { await Task.yield() }
                let id = try await place.enqueue("mail", "welcome", "x")
                await waiting
                let woken = clock.now().milliseconds
                let found = try await broker.reserve(ReserveRequest(9), from: "mail").messages
                #expect(found.map { "\($0.token.id)" } == [id])
                let token = try #require(found.first).token
                // The store writes down when it accepted the message, by the same clock.
                delays.append(woken - token.entry.insertedAt.milliseconds)
                _ = try await broker.settle([Settlement(token, .ack)], in: "mail")
            }
            await broker.shutdown()
            #expect(try #require(delays.min()) <= 250, "in ms: \(delays)")
        }
    }
}
