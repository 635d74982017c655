// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import TestAWS
import Testing

/// Queues of one test on moto, with a dead-letter queue.
private struct MotoBed {
    let connections: SQSConnections
    let queue: String
    let dead: String
    let name: String

    var client: SQSClient { connections.settling }

    init(polls: Int = 1) async throws {
        let server = try await MotoServer.shared()
        let options = AWSOptions(region: "us-east-1", endpoint: server.url, environment: [:])
        connections = try SQSConnections(
            options, CredentialProvider([FixedCredentials()]), polls: polls)
        name = "uploads-\(UInt64.random(in: 0 ... .max))"
        dead = try await connections.settling.createQueue(name + "-dead")
        let arn = try await connections.settling.attributes(of: dead)["QueueArn"] ?? ""
        queue = try await connections.settling.createQueue(
            name,
            attributes: [
                "RedrivePolicy": RedrivePolicy(deadLetterTarget: arn, maxReceiveCount: 5).text
            ])
    }

    func source(_ change: (inout SQSSourceOptions) -> Void = { _ in }) -> SQSSource {
        var options = SQSSourceOptions()
        options.wait = .seconds(2)
        change(&options)
        return SQSSource(queue: queue, over: connections, options: options)
    }

    /// How many messages wait and are in flight.
    func counts(_ queue: String) async throws -> [String] {
        let all = try await client.attributes(of: queue)
        return ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"].map {
            all[$0] ?? ""
        }
    }
}

private struct FixedCredentials: CredentialSource {
    var name: String { "a test" }
    func fetch() async throws(AWSError) -> Credentials? {
        Credentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "secret")
    }
}

@Suite(.timeLimit(.minutes(3))) struct `SQS on moto` {
    @Test func `what is sent is received, extended, deleted and gone`() async throws {
        let bed = try await MotoBed()
        let attributes: [String: SQSAttribute] = [
            "n": SQSAttribute(type: "Number", .text("7")), "t": .text("Zoë 🎵"),
            "b": SQSAttribute(type: "Binary", .binary([0, 255, 10])),
        ]
        try await bed.client.send(
            SQSNewMessage("über\n🎵 \"<&>\t", attributes: attributes), to: bed.queue)
        let batch = try await bed.client.send(
            (0..<9).map { SQSNewMessage("\($0)") }, to: bed.queue)
        #expect(batch == Array(repeating: .done, count: 9))
        let received = try await bed.connections.polling.receive(
            upTo: 10, from: bed.queue, visibility: .seconds(30), wait: .zero)
        #expect(received.broken == [])
        #expect(received.messages.count == 10)
        let odd = received.messages.first { $0.body.hasPrefix("über") }
        #expect(odd?.body == "über\n🎵 \"<&>\t")
        #expect(odd?.attributes == attributes)
        #expect(odd?.receiveCount == 1)
        let receipts = received.messages.map(\.receiptHandle)
        #expect(
            try await bed.client.changeVisibility(
                receipts.map { ($0, .seconds(60)) }, in: bed.queue)
                == Array(repeating: .done, count: 10))
        #expect(
            try await bed.client.delete(receipts, from: bed.queue)
                == Array(repeating: .done, count: 10))
        #expect(try await bed.counts(bed.queue) == ["0", "0"])
        let none = try await bed.connections.polling.receive(
            upTo: 10, from: bed.queue, wait: .zero)
        #expect(none.messages == [])
    }

    @Test func `a queue that is not there is a thing to set up`() async throws {
        let bed = try await MotoBed()
        await #expect {
            _ = try await bed.client.url(of: "no-such-queue-\(bed.name)")
        } throws: {
            if case .config? = $0 as? SQSError { true } else { false }
        }
        let outcomes = try await bed.client.delete(["no receipt"], from: bed.queue)
        #expect(outcomes.first?.error != nil)
    }

    @Test func `every message is handled and deleted, dead ones lie in the dead letters`()
        async throws
    {
        let bed = try await MotoBed()
        let bodies = (0..<30).map { "m\($0)" }
        for start in stride(from: 0, to: 30, by: 10) {
            _ = try await bed.client.send(
                bodies[start..<start + 10].map { SQSNewMessage($0) }, to: bed.queue)
        }
        let seen = Seen()
        try await run(bed.source(), concurrency: 4) { message in
            seen.add(message.body)
            switch message.body {
            case "m7": return .dead(reason: "no audio in it")
            case "m8": return .replace(body: "rest of m8", after: .zero, reason: "half")
            case "m9" where message.receiveCount == 1:
                return .later(after: .seconds(1), reason: "busy")
            default: return .done
            }
        } while: {
            while try await bed.counts(bed.queue) != ["0", "0"] {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(Set(seen.all) == Set(bodies + ["rest of m8"]))
        #expect(seen.all.count == 32)
        let letters = try await bed.client.receive(upTo: 10, from: bed.dead, wait: .zero)
        #expect(letters.messages.map(\.body) == ["m7"])
        #expect(letters.messages.first?.attributes["godwit.reason"] == .text("no audio in it"))
    }

    @Test func `a delete does not wait behind a poll`() async throws {
        let bed = try await MotoBed()
        try await bed.client.send(SQSNewMessage("a"), to: bed.queue)
        let handled = Gate()
        let clock = ContinuousClock()
        let source = bed.source {
            $0.wait = .seconds(20)
            $0.prefetch = 20
        }
        try await run(source, concurrency: 4) { _ in
            handled.open()
            return .done
        } while: {
            await handled.wait()
            let start = clock.now
            while try await bed.counts(bed.queue) != ["0", "0"] {
                try await Task.sleep(for: .milliseconds(20))
            }
            // The next poll stands for 20 s; a delete behind it would take as long.
            #expect(clock.now - start < .seconds(10))
        }
    }

    @Test func `a stop breaks off a poll without a sound and at once`() async throws {
        let bed = try await MotoBed()
        let source = bed.source { $0.wait = .seconds(20) }
        let clock = ContinuousClock()
        let task = Task { try await source.run(concurrency: 1) { _ in .done } }
        try await bed.client.send(SQSNewMessage("a"), to: bed.queue)
        while try await bed.counts(bed.queue) != ["0", "0"] {
            try await Task.sleep(for: .milliseconds(20))
        }
        let start = clock.now
        task.cancel()
        try await task.value
        #expect(clock.now - start < .seconds(10))
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["GODWIT_BENCH_SQS"] != nil))
    func `bench: receive, handle, delete`() async throws {
        let count = Int(ProcessInfo.processInfo.environment["GODWIT_BENCH_SQS"] ?? "") ?? 2000
        for polls in [1, 2, 4] {
            let bed = try await MotoBed(polls: polls)
            for _ in 0..<count / 10 {
                _ = try await bed.client.send(
                    (0..<10).map { SQSNewMessage("{\"file\":\"\($0).wav\"}") }, to: bed.queue)
            }
            let done = Mutex(0)
            let all = Gate()
            let source = bed.source {
                $0.polls = polls
                $0.prefetch = 40
                $0.wait = .seconds(1)
            }
            let clock = ContinuousClock()
            let start = clock.now
            try await run(source, concurrency: 16) { _ in
                if done.withLock({
                    $0 += 1; return $0
                }) >= count {
                    all.open()
                }
                return .done
            } while: {
                await all.wait()
            }
            let took = clock.now - start
            #expect(try await bed.counts(bed.queue) == ["0", "0"])
            let rate = Double(count) / (Double(took.milliseconds) / 1000)
            print("bench sqs: \(count) messages, \(polls) poll(s): \(Int(rate)) a second")
            // moto alone: the same requests, one after the other, nothing of ours between them.
            for _ in 0..<count / 10 {
                _ = try await bed.client.send(
                    (0..<10).map { SQSNewMessage("\($0)") }, to: bed.queue)
            }
            let alone = clock.now
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<polls {
                    group.addTask {
                        while let got = try? await bed.connections.polling.receive(
                            upTo: 10, from: bed.queue, wait: .zero), !got.messages.isEmpty
                        {
                            _ = try? await bed.client.delete(
                                got.messages.map(\.receiptHandle), from: bed.queue)
                        }
                    }
                }
            }
            let limit = Double(count) / (Double((clock.now - alone).milliseconds) / 1000)
            print("bench sqs: bare receive and delete, \(polls) at a time: \(Int(limit)) a second")
        }
    }
}
