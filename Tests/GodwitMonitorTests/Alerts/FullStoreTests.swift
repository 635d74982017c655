// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitRedis
import GodwitTesting
import RedisClient
import TestRedis
import Testing

@Suite struct `Alerts of a full store` {
    @Test(.timeLimit(.minutes(3)))
    func `a Redis over its memory is told of though its notes are written, and watched on`()
        async throws
    {
        try await withServer { server in
            let client = try RedisClient(RedisURL(server.url))
            do {
                try await isToldOf(server, client)
            } catch {
                await client.shutdown()
                throw error
            }
            await client.shutdown()
        }
    }

    private func isToldOf(_ server: RedisServer, _ client: RedisClient) async throws {
        try await AlertScene.run(on: { try await RedisBroker(server.url, time: $0) }) { scene in
            let broker = scene.test.broker
            let watch = scene.watch(scene.sender())
            await watch.look()
            _ = try await client.send(
                RedisCommand(["SET", "ballast", String(repeating: "x", count: 4 << 20)]))
            try await scene.bury(1) { _ in "one failure" }
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "3mb"]))
            var report = await watch.look()
            #expect(report.isOnDuty)
            #expect(
                Set(report.messages.map(\.trigger)) == [.storeRefuses, .newGroup],
                "the queue was looked at too")
            #expect(try scene.received().map { $0["trigger"] as? String } == ["store-refuses"])
            // The next look is not cut short by the alert that waits.
            try await withRoom(client) {
                try await scene.bury(1, in: "audio") { _ in "another failure" }
            }
            report = await watch.look()
            #expect(report.messages.map { $0.key?.queue } == ["audio"])
            #expect(try scene.received().count == 1, "told of once")
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "0"]))
            #expect(await watch.look().enqueued == 2)
            try await scene.deliver()
            #expect(try scene.received().count == 3)
            #expect(try await broker.inspector.counts(of: AlertQueue.name).dead == 0)
        }
    }

    /// Lets the server take writes for the length of the body.
    private func withRoom(_ client: RedisClient, _ body: () async throws -> Void) async throws {
        _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "0"]))
        try await body()
        _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "3mb"]))
    }

    @Test
    func `the direct alert is kept until the channel takes it, then said no more`() async throws {
        try await AlertScene.run(answering: { _, number in .status(number < 2 ? 503 : 200) }) {
            scene in
            let broker = scene.test.broker
            let watch = scene.watch(scene.sender())
            await watch.look()
            let problem = BrokerError.Problem(
                what: "write", location: "the store", cause: "it is over its memory", advice: "")
            for _ in 0..<6 {
                // Only what a full Redis refuses: reading and writing the settings of the queue.
                broker.inject(.fail(.storageFull(problem)), into: .operate)
                await watch.look()
                broker.heal()
                scene.test.advance(by: .seconds(5))
            }
            let received = try scene.received()
            #expect(received.count == 3, "twice in vain, then taken")
            #expect(Set(received.compactMap { $0["event"] as? String }).count == 1)
            await watch.look()
            #expect(try await broker.inspector.counts(of: AlertQueue.name).ready == 0)
        }
    }

    @Test
    func `what was seen of dead letters stays small however many die and are pruned`()
        async throws
    {
        try await AlertScene.run { scene in
            let broker = scene.test.broker
            var settings = try await broker.operator.settings(of: "mail")
            settings.keepDead = 100
            try await broker.operator.apply(settings, to: "mail")
            let watch = scene.watch()
            await watch.look()
            var told = 0
            for round in 0..<8 {
                try await scene.bury(2500)
                // In every other look the letters stand at one moment, before the two seconds.
                if round.isMultiple(of: 2) { scene.test.advance(by: .seconds(5)) }
                told += await watch.look().messages.count
                while try await broker.inspector.counts(of: "mail").dead > 100 {
                    try await broker.prune(64, in: "mail")
                }
                // A mark has 9 bytes: at most 3,000 of them, then only of what is still there.
                #expect(try await eyes(scene) < 32_000)
                await watch.look()
                #expect(try await eyes(scene) < 2500)
                scene.test.advance(by: .seconds(5))
            }
            #expect(told > 0)
            let groups = try await AlertBook(broker.board).openGroups()
            #expect(
                groups.filter { $0.trigger == .newGroup }.map(\.count) == [20_000],
                "each counted once")
        }
    }

    /// The bytes of the note about what was seen in `mail`.
    private func eyes(_ scene: AlertScene) async throws -> Int {
        try await scene.test.broker.board.note("alerts.mail", in: .state)?.bytes.count ?? 0
    }

    @Test
    func `rates of many rules never make a note too large`() async throws {
        try await AlertScene.run { scene in
            let book = AlertBook(scene.test.broker.board)
            for number in 0..<40 {
                try await book.keep(
                    AlertRule(
                        name: "rate-\(number)", trigger: .deathRate, threshold: 1_000_000,
                        windowSeconds: 3600))
            }
            let watch = scene.watch()
            await watch.look()
            for _ in 0..<300 {
                try await scene.bury(1)
                scene.test.advance(by: .seconds(10))
                await watch.look()
            }
            let notes = try await scene.test.broker.board.notes(in: .state)
            let eyes = try #require(notes.first { $0.name == "alerts.mail" })
            // Written at the last look: the watch was not stopped by the bound.
            #expect(eyes.writtenAt == scene.test.clock.now())
            #expect(eyes.bytes.count <= BoardLimits.noteBytes)
        }
    }
}
