// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitRedis
import GodwitSQLite
import GodwitTesting
import MessagePack
import ServiceLifecycle
import Synchronization
import TestRedis
import Testing

/// A store whose clock stands still, something to fail in it, and a receiver on loopback.
struct AlertScene: Sendable {
    static let host = "hooks.example.test"

    let test: QueueTest
    let server: HookServer

    static func run(
        on broker: (@Sendable (VirtualClock) async throws -> any Broker)? = nil,
        answering manner: @escaping @Sendable (HookServer.Request, Int) -> HookServer.Manner = {
            _, _ in
            .status(200)
        },
        _ body: (AlertScene) async throws -> Void
    ) async throws {
        try await HookServer.run(manner) { server in
            let clock = VirtualClock()
            let test =
                if let broker { QueueTest(clock: clock, over: try await broker(clock)) } else {
                    QueueTest(clock: clock)
                }
            let scene = AlertScene(test: test, server: server)
            do {
                try await AlertBook(test.broker.board).keep(scene.channel(.generic))
                try await body(scene)
            } catch {
                await test.broker.shutdown()
                throw error
            }
            await test.broker.shutdown()
        }
    }

    func channel(_ form: AlertChannel.Form) -> AlertChannel {
        AlertChannel(
            name: "default", form: form, url: .environment("GODWIT_ALERT_TEST_HOOK"),
            secret: .environment("GODWIT_ALERT_TEST_SECRET"))
    }

    func sender(
        pace: Duration = .zero, deadline: Duration = .seconds(60), port: Int? = nil
    ) -> AlertSender {
        let port = port ?? server.port
        var options = AlertSender.Options(
            secrets: SecretReader(
                environment: [
                    "GODWIT_ALERT_TEST_HOOK": "http://\(Self.host):\(port)/hook/SECRETwxyz",
                    "GODWIT_ALERT_TEST_SECRET": "whsec",
                ], folder: nil))
        options.guardian = DialGuard(listed: [.init(host: Self.host, port: port)])
        options.pace = pace
        options.deadline = deadline
        return AlertSender(
            on: test.broker, options: options, resolver: StandInResolver("127.0.0.1"))
    }

    func watch(_ sender: AlertSender? = nil) -> AlertWatch {
        var options = AlertWatch.Options()
        options.sender = sender
        return AlertWatch(on: test.broker, options: options)
    }

    /// Makes `count` messages dead, with a reason by their number.
    func bury(
        _ count: Int, in queue: QueueName = "mail", kind: Kind = "send",
        _ reason: (Int) -> String = { _ in "no such user" }
    ) async throws {
        let now = test.clock.now()
        var number = 0
        while number < count {
            let size = min(250, count - number)
            let messages = (0..<size).map { _ in
                NewMessage(id: MessageID(at: now), kind: kind, body: [0x91, 0])
            }
            _ = try await test.broker.enqueue(messages, to: queue)
            var settlements: [Settlement] = []
            while settlements.count < size {
                let taken = try await test.broker.reserve(
                    ReserveRequest(size - settlements.count, kinds: [kind]), from: queue)
                for message in taken.messages {
                    settlements.append(Settlement(message.token, .reject(reason(number))))
                    number += 1
                }
            }
            _ = try await test.broker.settle(settlements, in: queue)
        }
    }

    /// Runs the alerts that are enqueued, retries included when they are due.
    @discardableResult
    func deliver(by sender: AlertSender? = nil) async throws -> DrainReport {
        let sender = sender ?? self.sender()
        return try await test.drain(test.queue(AlertQueue.name)) { sender.register(in: &$0) }
    }

    /// What the receiver got, as objects; each must carry a good signature.
    func received() throws -> [[String: Any]] {
        try server.requests.map { request in
            let value = try #require(request.header(WebhookSignature.header))
            #expect(
                WebhookSignature.verify(
                    value, body: request.body, secrets: [WebhookSecret("whsec")],
                    at: SystemTime().now()))
            return try #require(
                try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
        }
    }

    func phases() throws -> [String] { try received().map { $0["phase"] as? String ?? "" } }
}

enum AlertStore: String, CaseIterable, Sendable {
    case memory, sqlite, redis

    @Sendable func broker(_ clock: VirtualClock) async throws -> any Broker {
        switch self {
        case .memory: return MemoryBroker(time: clock)
        case .redis: return try await RedisBroker(SharedRedis.freshURL(), time: clock)
        case .sqlite:
            let directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("godwit-alerts-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true)
            return try await SQLiteBroker(
                path: directory.appendingPathComponent("jobs.db").path, time: clock)
        }
    }
}
