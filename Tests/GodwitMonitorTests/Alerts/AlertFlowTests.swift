// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitTesting
import MessagePack
import Testing

@Suite struct `Alerts` {
    private static let letters = Array("qwertzuiopasdfghjklyxcvbnm")

    @Test(arguments: AlertStore.allCases)
    func `a dead letter reaches the receiver once, signed, and is resolved once`(
        _ store: AlertStore
    ) async throws {
        try await AlertScene.run(on: store.broker) { scene in
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(3) { "user \($0) not found" }
            await watch.look()
            await watch.look()
            try await scene.deliver()
            let first = try #require(try scene.received().first)
            #expect(try scene.received().count == 1)
            #expect(first["rule"] as? String == "new-group")
            #expect(first["queue"] as? String == "mail")
            #expect(first["text"] as? String == "send: user # not found")
            #expect(first["count"] as? Int == 3)
            #expect((first["samples"] as? [String])?.count == 3)
            for _ in 0..<150 {
                scene.test.advance(by: .seconds(5))
                await watch.look()
            }
            try await scene.deliver()
            #expect(try scene.phases() == ["first", "resolved"])
            #expect(try await AlertBook(scene.test.broker.board).openGroups().isEmpty)
        }
    }

    @Test
    func `a hundred thousand dead letters in a minute are at most ten messages at the receiver`()
        async throws
    {
        try await AlertScene.run { scene in
            let watch = scene.watch()
            await watch.look()
            var random = Xoshiro(seed: 11)
            for _ in 0..<10 {
                try await scene.bury(10_000) { _ in
                    let word = String(Int.random(in: 0..<700, using: &random), radix: 26)
                        .map { Self.letters[Int(String($0), radix: 26) ?? 0] }
                    return "failed with \(String(word))"
                }
                await watch.look()
                scene.test.advance(by: .seconds(6))
            }
            try await scene.deliver()
            let received = try scene.received()
            #expect(received.count <= 10, "\(received.count) messages")
            #expect(received.filter { $0["phase"] as? String == "digest" }.count == 1)
            // Nothing is forgotten: the groups hold every letter, the digests name them.
            for _ in 0..<30 {
                scene.test.advance(by: .seconds(5))
                await watch.look()
            }
            let groups = try await AlertBook(scene.test.broker.board).openGroups()
                .filter { $0.trigger == .newGroup }
            #expect(groups.reduce(0) { $0 + $1.count } == 100_000)
            #expect(groups.allSatisfy { $0.toldCount == $0.count })
        }
    }

    @Test
    func `of two watches one works, and the other follows when it is gone`() async throws {
        try await AlertScene.run { scene in
            let one = scene.watch()
            let two = scene.watch()
            #expect(await one.look().isOnDuty)
            try await scene.bury(1)
            async let left = one.look()
            async let right = two.look()
            let reports = await [left, right]
            #expect(reports.map(\.isOnDuty) == [true, false])
            #expect(reports.map(\.enqueued) == [1, 0])
            // The first is gone without a word; after its time the second goes on from its notes.
            scene.test.advance(by: .seconds(31))
            try await scene.bury(1)
            let later = await two.look()
            #expect(later.isOnDuty)
            #expect(later.messages.isEmpty, "a minute is not over")
            #expect(await one.look().isOnDuty == false)
            scene.test.advance(by: .seconds(31))
            #expect(await two.look().messages.map(\.phase) == [.update])
            try await scene.deliver()
            #expect(try scene.phases() == ["first", "update"])
            #expect(try scene.received().last?["count"] as? Int == 2)
        }
    }

    @Test
    func `a second sender in the same minute is told that the alert is known`() async throws {
        try await AlertScene.run { scene in
            try await scene.bury(1)
            #expect(await scene.watch().look().enqueued == 1)
            // Everything that keeps two watches apart is taken away.
            let board = scene.test.broker.board
            for folder in [NoteFolder.duties, .groups, .state] {
                for note in try await board.notes(in: folder) {
                    try await board.erase(note.name, in: folder, if: .any)
                }
            }
            let report = await scene.watch().look()
            #expect(report.messages.count == 1)
            #expect(report.enqueued == 0)
            #expect(report.known == 1)
            // Also after the first was sent.
            try await scene.deliver()
            for folder in [NoteFolder.duties, .groups, .state] {
                for note in try await board.notes(in: folder) {
                    try await board.erase(note.name, in: folder, if: .any)
                }
            }
            #expect(await scene.watch().look().known == 1)
            try await scene.deliver()
            #expect(try scene.phases() == ["first"])
        }
    }

    @Test(
        arguments: FaultyBroker.Word.allCases.filter { [.enqueue, .board, .inspect].contains($0) })
    func `a store that fails in the middle of a look neither repeats an alert nor loses one`(
        _ word: FaultyBroker.Word
    ) async throws {
        // The fault strikes the first call of its word after the letters, then the second, and so on.
        for place in 0..<12 {
            for losesReply in [false, true] {
                try await AlertScene.run { scene in
                    let broker = scene.test.broker
                    let watch = scene.watch()
                    await watch.look()
                    try await scene.bury(2)
                    broker.inject(.delay(.zero), into: word, times: place)
                    broker.inject(
                        losesReply ? .loseReply : .fail(FaultyBroker.unavailable()), into: word)
                    // Why a task for the clock: a delay of nothing waits for the virtual clock.
                    try await scene.test.clockRuns { await watch.look() }
                    broker.heal()
                    // The process is gone; another one takes over.
                    scene.test.advance(by: .seconds(100))
                    let next = scene.watch()
                    for _ in 0..<5 {
                        await next.look()
                        scene.test.advance(by: .seconds(30))
                    }
                    try await scene.deliver()
                    // Letters that were counted twice may raise the count, but open no group again.
                    let phases = try scene.phases()
                    #expect(
                        phases == ["first"] || (word == .board && phases == ["first", "update"]),
                        "\(word) call \(place), \(losesReply): \(phases)")
                }
            }
        }
    }

    @Test
    func `the alerts' own dead letters are no alert, and its bound holds`() async throws {
        try await AlertScene.run(answering: { _, _ in .status(404) }) { scene in
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(1)
            await watch.look()
            try await scene.deliver()
            let broker = scene.test.broker
            #expect(try await broker.inspector.counts(of: AlertQueue.name).dead == 1)
            for _ in 0..<20 {
                scene.test.advance(by: .seconds(5))
                #expect(await watch.look().messages.isEmpty)
            }
            let settings = try await broker.operator.settings(of: AlertQueue.name)
            #expect(settings.maxMessages == 1000)
            // Full: dropped and counted, and the watch goes on.
            let fill = (0..<1000).map { _ in
                NewMessage(id: MessageID(at: scene.test.clock.now()), kind: "x", body: [0x91, 0])
            }
            _ = try await broker.enqueue(fill, to: AlertQueue.name)
            try await scene.bury(1) { _ in "another failure" }
            let report = await watch.look()
            #expect(report.dropped == 1)
            #expect(report.enqueued == 0)
        }
    }

    @Test
    func `each condition has its rule`() async throws {
        try await AlertScene.run { scene in
            let broker = scene.test.broker
            let watch = scene.watch()
            await watch.look()
            // Ready, too old, and nobody knows the kind.
            _ = try await broker.enqueue(
                [NewMessage(id: MessageID(at: scene.test.clock.now()), kind: "pdf", body: [1])],
                to: "docs")
            scene.test.advance(by: .seconds(301))
            var messages = await watch.look().messages
            #expect(Set(messages.map(\.trigger)) == [.age, .noWorker])
            #expect(messages.allSatisfy { $0.key?.queue == "docs" })
            // Many dead within the window, and a crash loop.
            try await scene.bury(11)
            messages = await watch.look().messages
            #expect(Set(messages.map(\.trigger)) == [.deathRate, .newGroup])
            try await scene.bury(1, in: "video") { _ in "x" }
            // A worker whose run makes no progress.
            let now = scene.test.clock.now()
            var beat = WorkerBeat(
                number: 7, name: "host", queue: "audio", kinds: nil, slots: 1,
                startedAt: now, leaseMilliseconds: 30_000)
            beat.running = [
                .init(id: "run-1", kind: "mix", since: now + .seconds(-4000), attempt: 0)
            ]
            try await broker.board.write(
                try MessagePackEncoder().encode(beat), as: "7", in: .workers, for: nil, if: .any)
            _ = try await broker.enqueue(
                [NewMessage(id: MessageID(at: now), kind: "mix", body: [1])], to: "audio")
            messages = await watch.look().messages
            #expect(Set(messages.map(\.trigger)) == [.stuck, .newGroup])
            #expect(messages.first { $0.trigger == .stuck }?.samples == ["run-1"])
            // A lease that nobody takes back.
            _ = try await broker.reserve(ReserveRequest(1, lease: .seconds(10)), from: "audio")
            scene.test.advance(by: .seconds(60))
            #expect(await watch.look().messages.contains { $0.key?.group == "lease" })
        }
    }

    @Test
    func `rules can be muted, narrowed to queues and to what a query means`() async throws {
        try await AlertScene.run { scene in
            let book = AlertBook(scene.test.broker.board)
            let now = scene.test.clock.now()
            try await book.keep(AlertRule(name: "mail", trigger: .newGroup, queues: "mail*,x"))
            try await book.keep(
                AlertRule(name: "quiet", trigger: .newGroup, mutedUntil: now + .seconds(3600)))
            try await book.keep(
                AlertRule(name: "timeouts", trigger: .newGroup, query: "error:\"timed out\""))
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(1, in: "mail.eu") { _ in "refused" }
            try await scene.bury(1, in: "audio") { _ in "refused" }
            try await scene.bury(1, in: "video") { _ in "it timed out" }
            let messages = await watch.look().messages
            #expect(
                Set(messages.compactMap { $0.key.map { "\($0.rule) \($0.queue)" } })
                    == ["mail mail.eu", "timeouts video"])
            await #expect(throws: BrokerError.self) {
                try await book.keep(AlertRule(name: "a", trigger: .newGroup, query: "nofield:::("))
            }
        }
    }

    @Test
    func `a store that refuses writes is told of directly, once`() async throws {
        try await AlertScene.run { scene in
            let broker = scene.test.broker
            let watch = scene.watch(scene.sender())
            await watch.look()
            let problem = BrokerError.Problem(
                what: "write", location: "the store", cause: "it is over its memory", advice: "")
            for _ in 0..<5 {
                broker.inject(.fail(.storageFull(problem)), into: .board, times: 2)
                await watch.look()
                broker.heal()
                scene.test.advance(by: .seconds(5))
            }
            let received = try scene.received()
            #expect(received.count == 1)
            #expect(received.first?["trigger"] as? String == "store-refuses")
            #expect(received.first?["text"] as? String == "it is over its memory")
        }
    }

    @Test
    func `letters from before the first watch are nobody's news, those of its absence are`()
        async throws
    {
        try await AlertScene.run { scene in
            try await scene.bury(5) { _ in "long ago" }
            scene.test.advance(by: .seconds(3600))
            var watch = scene.watch()
            #expect(await watch.look().messages.isEmpty)
            scene.test.advance(by: .seconds(3600))
            try await scene.bury(1) { _ in "while nobody looked" }
            scene.test.advance(by: .seconds(3600))
            watch = scene.watch()
            #expect(await watch.look().messages.map(\.text) == ["send: while nobody looked"])
        }
    }
}

extension QueueTest {
    /// Moves the clock on for as long as the body runs.
    func clockRuns(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    advance(by: .zero)
                    await Task.yield()
                }
            }
            group.addTask { try await body() }
            try await group.next()
            group.cancelAll()
        }
    }
}
