// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitTesting
import Testing

@Suite struct `Alert sender` {
    private func enqueueOne(_ scene: AlertScene, _ reason: String = "no such user") async throws {
        let watch = scene.watch()
        await watch.look()
        try await scene.bury(1) { _ in reason }
        #expect(await watch.look().enqueued == 1)
    }

    @Test
    func `a server that fails first gets the same event again, with jitter, until it takes it`()
        async throws
    {
        try await AlertScene.run(answering: { _, number in .status(number < 3 ? 500 : 200) }) {
            scene in
            try await enqueueOne(scene)
            let sender = scene.sender()
            let report = try await scene.test.drain(
                scene.test.queue(AlertQueue.name), untilEmpty: true
            ) { sender.register(in: &$0) }
            #expect(report.runs.count == 4)
            #expect(report.acked == 1)
            #expect(Set(try scene.received().compactMap { $0["event"] as? String }).count == 1)
        }
    }

    @Test
    func `429 is obeyed for the whole channel`() async throws {
        try await AlertScene.run(answering: { _, number in
            number == 0 ? .status(429, headers: ["retry-after: 100"]) : .status(200)
        }) { scene in
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(2) { $0 == 0 ? "one failure" : "another failure" }
            #expect(await watch.look().enqueued == 2)
            let sender = scene.sender()
            let start = scene.test.clock.now()
            try await scene.deliver(by: sender)
            #expect(scene.server.requests.count == 1, "the second message waits too")
            scene.test.advance(by: .seconds(99))
            try await scene.deliver(by: sender)
            #expect(scene.server.requests.count == 1)
            _ = try await scene.test.drain(
                scene.test.queue(AlertQueue.name), untilEmpty: true
            ) { sender.register(in: &$0) }
            #expect(scene.server.requests.count == 3)
            #expect(scene.test.clock.now() - start >= .seconds(100))
        }
    }

    @Test
    func `a channel takes about one message a second`() async throws {
        try await AlertScene.run { scene in
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(5) { "failure \(["a", "b", "c", "d", "e"][$0])" }
            #expect(await watch.look().enqueued == 5)
            let sender = scene.sender(pace: .seconds(1))
            let start = scene.test.clock.now()
            let test = scene.test
            try await withThrowingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        test.advance(by: .milliseconds(50))
                        await Task.yield()
                    }
                }
                group.addTask { _ = try await scene.deliver(by: sender) }
                try await group.next()
                group.cancelAll()
            }
            #expect(scene.server.requests.count == 5)
            #expect(test.clock.now() - start >= .seconds(4))
        }
    }

    @Test
    func `what can't be delivered ends among the dead with its reason, without the URL`()
        async throws
    {
        try await AlertScene.run(answering: { _, _ in
            .status(302, headers: ["location: http://127.0.0.1/"])
        }) { scene in
            try await enqueueOne(scene)
            try await scene.deliver()
            let dead = try await scene.test.broker.inspector.messages(
                .dead, in: AlertQueue.name, after: nil, limit: 10)
            let reason = try #require(dead.messages.first?.reason)
            #expect(reason.contains("redirect"))
            #expect(!reason.contains("SECRET"))
        }
    }

    @Test
    func `an endpoint that hangs slows no other worker`() async throws {
        try await HookServer.run { _, _ in
            .silence
        } _: { server in
            let broker = MemoryBroker()
            var options = AlertSender.Options(
                secrets: SecretReader(
                    environment: ["GODWIT_ALERT_URL": "http://\(AlertScene.host):\(server.port)/x"],
                    folder: nil))
            options.guardian = DialGuard(listed: [.init(host: AlertScene.host, port: server.port)])
            options.deadline = .seconds(30)
            let sender = AlertSender(
                on: broker, options: options, resolver: StandInResolver("127.0.0.1"))
            for number in 0..<8 {
                var judge = AlertJudge()
                let now = broker.time.now()
                let message = judge.judge(
                    [
                        AlertSignal(
                            rule: "r", trigger: .newGroup, queue: "q", group: "g\(number)",
                            text: "t", count: 1, at: now)
                    ], at: now)[0]
                let alert = Alert(channel: "default", message: message)
                try await Queue(AlertQueue.name, on: broker).enqueue(alert, .id(alert.id))
            }
            try await withThrowingTaskGroup { group in
                group.addTask { try await sender.run() }
                while server.requests.isEmpty { await Task.yield() }
                // The endpoint holds a delivery now; a thousand other jobs go through meanwhile.
                let jobs = Queue("work", on: broker)
                for _ in 0..<4 {
                    _ = try await broker.enqueue(
                        (0..<250).map { _ in
                            NewMessage(
                                id: jobs.newID(), kind: "k",
                                body: [0x94, 0xA1, 0x6B, 0x02, 0xC0, 0xC4, 0x00])
                        }, to: "work")
                }
                let worker = Worker(jobs, concurrency: 4) { $0.handleAll { _, _ in } }
                try await worker.run(until: .drained)
                #expect(try await broker.inspector.counts(of: "work").completed == 1000)
                #expect(server.requests.count < 8, "deliveries still hang")
                group.cancelAll()
            }
            await broker.shutdown()
        }
    }

    @Test
    func `a trial says what happened and never shows the URL`() async throws {
        try await AlertScene.run { scene in
            let trial = await scene.sender().test(scene.channel(.slack))
            #expect(trial.isDelivered)
            #expect(trial.place == "\(AlertScene.host)/…wxyz")
            #expect(scene.server.requests.first?.text.contains("This is a test") == true)
            let gone = await scene.sender(port: 1).test(scene.channel(.generic))
            #expect(!gone.isDelivered)
            #expect(!"\(gone)".contains("SECRET"))
            let missing = AlertChannel(
                name: "x", form: .slack, url: .environment("GODWIT_ALERT_NONE"))
            let trial2 = await scene.sender().test(missing)
            #expect(!trial2.isDelivered)
            #expect(trial2.text.contains("GODWIT_ALERT_NONE"))
            let inner = AlertChannel(
                name: "x", form: .slack, url: .clear("https://169.254.169.254/latest/SECRETx"))
            let trial3 = await scene.sender().test(inner)
            #expect(trial3.text.contains("link-local"))
            #expect(!"\(trial3)".contains("SECRET"))
        }
    }

    @Test
    func `secrets come from the environment or a file by its name, and from nowhere else`() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-secrets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["alert-hook", "db-password"] {
            try Data("  in the file\n".utf8).write(to: folder.appendingPathComponent(name))
        }
        try Data(repeating: 65, count: 5000).write(to: folder.appendingPathComponent("alert-big"))
        let reader = SecretReader(
            environment: ["GODWIT_ALERT_A": "a", "GODWIT_REDIS_PASSWORD": "p", "HOME": "/root"],
            folder: folder.path)
        #expect(try reader.text(at: .environment("GODWIT_ALERT_A")) == "a")
        #expect(try reader.text(at: .file("alert-hook")) == "in the file")
        #expect(try reader.text(at: .clear("x")) == "x")
        for place in [
            SecretPlace.environment("HOME"), .environment("GODWIT_ALERT_B"),
            .environment("GODWIT_REDIS_PASSWORD"), .file("db-password"), .file("../alert-hook"),
            .file("alert-none"), .file("alert-big"), .file("/etc/hostname"), .clear(""),
        ] {
            #expect(throws: WebhookRefusal.self, "\(place)") { try reader.text(at: place) }
        }
    }

    @Test
    func `a channel that lets wait for hours loses no alert, and a day ends them`() async throws {
        try await AlertScene.run(answering: { _, number in
            number < 30 ? .status(429, headers: ["retry-after: 100"]) : .status(200)
        }) { scene in
            let watch = scene.watch()
            await watch.look()
            try await scene.bury(5) { "failure \(["a", "b", "c", "d", "e"][$0])" }
            #expect(await watch.look().enqueued == 5)
            let sender = scene.sender()
            let queue = scene.test.queue(AlertQueue.name)
            let report = try await scene.test.drain(queue, untilEmpty: true) {
                sender.register(in: &$0)
            }
            #expect(report.runs.count > 100, "each of them waited more than 20 times")
            #expect(report.acked == 5)
            #expect(try await scene.test.broker.inspector.counts(of: AlertQueue.name).dead == 0)
        }
        try await AlertScene.run(answering: { _, _ in .status(500) }) { scene in
            try await enqueueOne(scene)
            let sender = scene.sender()
            let start = scene.test.clock.now()
            let report = try await scene.test.drain(
                scene.test.queue(AlertQueue.name), untilEmpty: true
            ) { sender.register(in: &$0) }
            #expect(report.runs.count > 20)
            #expect(scene.test.clock.now() - start >= .seconds(86_400))
            #expect(try await scene.test.broker.inspector.counts(of: AlertQueue.name).dead == 1)
        }
    }

    @Test
    func `a secret that can't be read is waited for, and ends with a word in the log`()
        async throws
    {
        try await AlertScene.run { scene in
            try await enqueueOne(scene)
            let sender = AlertSender(
                on: scene.test.broker,
                options: AlertSender.Options(secrets: SecretReader(environment: [:], folder: nil)))
            var report = try await scene.deliver(by: sender)
            guard case .retry(_, let reason) = report.runs.first?.verdict else {
                Issue.record("not to be repeated: \(report)")
                return
            }
            #expect(reason.contains("GODWIT_ALERT_TEST_HOOK"))
            scene.test.advance(by: .seconds(86_400))
            report = try await scene.deliver(by: sender)
            #expect(
                report.runs.last.map { if case .reject = $0.verdict { true } else { false } }
                    == true)
        }
    }
}
