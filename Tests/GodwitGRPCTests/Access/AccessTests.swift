// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import GodwitTesting
import GRPCCore
import SwiftProtobuf
import Synchronization
import Testing

/// Who may come through the door, and what they may do there.
@Suite("Access", .timeLimit(.minutes(1))) struct AccessTests {
    @Test func `every method is refused without a token, and with one that may not do it`()
        async throws
    {
        let broker = MemoryBroker()
        // It may do nothing at all: its only grant names no act that a call needs.
        let nothing = try await TokenBook(broker.board).add(
            "nothing", grants: [], expiresAt: nil, now: broker.time.now())
        let bearer = "Bearer \(try #require(nothing).text)"
        let methods = QueueServer.methods(for: broker)
        #expect(methods.count >= 13)
        try await withDoor(broker) { port in
            try await RawClient.with(port) { client in
                for method in methods {
                    let name = method.fullyQualifiedMethod
                    if name == "grpc.health.v1.Health/Watch" { continue }
                    let without = try await client.call(method)
                    let with = try await client.call(method, authorization: [bearer])
                    if method.service.fullyQualifiedService == "grpc.health.v1.Health" {
                        #expect(without == nil && with == nil, "\(name)")
                        continue
                    }
                    #expect(without?.code == .unauthenticated, "\(name)")
                    // Whoever has a token may learn the store's clock and limits.
                    if name == "godwit.v1.Store/Hello" { continue }
                    #expect(with?.code == .permissionDenied, "\(name)")
                    #expect(with?.message == Caller.denial.message, "\(name)")
                }
            }
        }
    }

    @Test func `no head but one good bearer token opens the door`() async throws {
        let broker = MemoryBroker()
        let good = try await token("good", "*:produce", on: broker)
        let other = try await token("other", "*:produce", on: broker)
        let method = Godwit_V1_Queue.Method.Enqueue.descriptor
        var request = Godwit_V1_EnqueueRequest()
        request.queue = "mail"
        let bytes = try request.serializedBytes() as [UInt8]
        let secret = good.suffix(64)
        let heads: [[String]] = [
            [], [""], ["Bearer"], ["Bearer "], ["Basic \(good)"], [good],
            ["Bearer \(good)", "Bearer \(good)"], ["Bearer \(good) "],
            ["Bearer \(good.dropLast())"],
            ["Bearer \(good)0"], ["Bearer \(good.dropLast())g"], ["Bearer gdw_good_"],
            ["Bearer gdw__\(secret)"], ["Bearer gdw_other_\(secret)"],
            ["Bearer gdw_nobody_\(secret)"], ["Bearer gdw_mask/key_\(secret)"],
            ["Bearer \(String(repeating: "x", count: 5000))"],
            ["Bearer \(good.prefix(good.count - 64))\(String(repeating: "0", count: 64))"],
        ]
        try await withDoor(broker) { port in
            try await RawClient.with(port) { client in
                for head in heads {
                    let error = try await client.call(method, bytes, authorization: head)
                    #expect(error?.code == .unauthenticated, "\(head.map { $0.prefix(80) })")
                }
                for head in ["Bearer \(good)", "bearer \(other)"] {
                    #expect(
                        try await client.call(method, bytes, authorization: [head]) == nil)
                }
            }
        }
    }

    @Test func `a token works in its queues only, and both denials have one text`() async throws {
        let broker = MemoryBroker()
        let text = try await token("mailer", "mail*:produce", "logs:work", on: broker)
        try await withDoor(broker) { port in
            try await withRemote(port, token: text) { remote in
                for queue in ["mail", "mail.late"] as [QueueName] {
                    #expect(
                        try await remote.enqueue([.sample], to: queue)
                            .count == 1)
                }
                for queue in ["logs", "mai", "Mail", "other"] as [QueueName] {
                    await #expect(throws: BrokerError.self) {
                        _ = try await remote.enqueue(
                            [.sample], to: queue)
                    }
                }
                _ = try await remote.reserve(
                    ReserveRequest(1, lease: .seconds(5)), from: "logs")
                await #expect(throws: BrokerError.self) {
                    _ = try await remote.reserve(
                        ReserveRequest(1, lease: .seconds(5)), from: "mail")
                }
            }
        }
    }

    @Test func `a removed token and one whose time is over end within 5 seconds`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        let kept = try await token("kept", "*:work", on: broker)
        let short = try await token("short", "*:work", for: .seconds(3), on: broker)
        let gone = try await token("gone", "*:work", on: broker)
        let method = Godwit_V1_Queue.Method.Promote.descriptor
        var request = Godwit_V1_PromoteRequest()
        request.queue = "mail"
        let bytes = try request.serializedBytes() as [UInt8]
        try await withDoor(broker) { port in
            try await RawClient.with(port) { client in
                func code(_ token: String) async throws -> RPCError.Code? {
                    try await client.call(method, bytes, authorization: ["Bearer \(token)"])?.code
                }
                #expect(try await code(kept) == nil)
                #expect(try await code(short) == nil)
                #expect(try await code(gone) == nil)
                #expect(try await TokenBook(broker.board).remove("gone"))
                clock.advance(by: .seconds(3))
                #expect(try await code(short) == .unauthenticated)
                clock.advance(by: .seconds(2))
                #expect(try await code(gone) == .unauthenticated)
                #expect(try await code(kept) == nil)
                // A new one is good within a second.
                let late = try await token("late", "*:work", on: broker)
                clock.advance(by: .seconds(1))
                #expect(try await code(late) == nil)
            }
        }
    }

    @Test func `forged tokens cost the store one reading a second`() async throws {
        let clock = VirtualClock()
        let broker = CountingBoard(MemoryBroker(time: clock))
        let good = try await token("good", "*:work", on: broker)
        let method = Godwit_V1_Queue.Method.Promote.descriptor
        try await withDoor(broker) { port in
            try await RawClient.with(port) { client in
                for number in 0..<200 {
                    let forged = "Bearer gdw_n\(number)_\(good.suffix(64))"
                    let error = try await client.call(method, authorization: [forged])
                    #expect(error?.code == .unauthenticated)
                }
            }
        }
        #expect(broker.readings <= 2)
    }

    @Test func `a lease is of the client that got it`() async throws {
        let broker = MemoryBroker()
        let first = try await token("first", "*:work,produce", on: broker)
        let second = try await token("second", "*:work,produce", on: broker)
        try await withDoor(broker) { port in
            try await withRemote(port, token: first) { one in
                try await withRemote(port, token: second) { two in
                    _ = try await one.enqueue(
                        [.sample], to: "mail")
                    let message = try #require(
                        try await one.reserve(
                            ReserveRequest(1), from: "mail"
                        ).messages.first)
                    let settlement = Settlement(message.token, .ack)
                    #expect(try await two.settle([settlement], in: "mail") == [.stale])
                    #expect(
                        try await two.checkpoint([Checkpoint(message.token, [1])], in: "mail") == [
                            .stale
                        ])
                    #expect(try await broker.settle([settlement], in: "mail") == [.stale])
                    #expect(try await one.settle([settlement], in: "mail") == [.done])
                }
            }
        }
    }

    @Test func `a grant is read as it is written, and nothing else is`() throws {
        let grant = try Grant("mail*:work,produce")
        #expect("\(grant)" == "mail*:produce,work")
        #expect(grant.allows(.work, on: "mail") && grant.allows(.produce, on: "mail:a"))
        #expect(!grant.allows(.inspect, on: "mail") && !grant.allows(.work, on: "mai"))
        #expect(!grant.allows(.work, on: nil))
        #expect(try Grant("*:work").allows(.work, on: nil))
        #expect(try Grant("a:b:work").queues == "a:b")
        for text in [
            "", "mail", ":work", "mail:", "mail:eat", "ma il:work", "*a:work", "a**:work",
            "a:work,", "a:Work",
        ] {
            #expect(throws: GrantError.self, "\(text)") { try Grant(text) }
        }
    }

    @Test func `every method of the interface stands in the policy`() {
        let all =
            Godwit_V1_Queue.Method.descriptors + Godwit_V1_Inspector.Method.descriptors
            + Godwit_V1_Operator.Method.descriptors + Godwit_V1_Store.Method.descriptors
            + Godwit_V1_Streams.Method.descriptors + Grpc_Health_V1_Health.Method.descriptors
        for method in all {
            #expect(AccessGuard.knows(method), "\(method.fullyQualifiedMethod)")
        }
    }
}

extension NewMessage {
    static var sample: NewMessage {
        NewMessage(id: MessageID(at: SystemTime().now()), kind: "k", body: [1])
    }
}

/// Counts how often the tokens are read.
private final class CountingBoard: WrappingBroker, Board {
    let wrapped: any Broker
    private let count = Mutex(0)

    init(_ broker: any Broker) { wrapped = broker }

    var board: any Board { self }
    var readings: Int { count.withLock { $0 } }

    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        count.withLock { $0 += 1 }
        return try await wrapped.board.notes(in: folder)
    }

    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note? {
        try await wrapped.board.note(name, in: folder)
    }

    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try await wrapped.board.write(bytes, as: name, in: folder, for: time, if: expected)
    }

    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try await wrapped.board.erase(name, in: folder, if: expected)
    }
}
