// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import GodwitTesting
import GRPCCore
import SwiftProtobuf
import Testing

/// Calls with a good token and bad bytes.
@Suite("Hostile messages", .timeLimit(.minutes(1))) struct HostileMessageTests {
    @Test func `bad bytes are answered with a status, and the next call is served`() async throws {
        let broker = MemoryBroker()
        let bearer = "Bearer \(try await token("t", "*:produce,work", on: broker))"
        var good = Godwit_V1_EnqueueRequest()
        good.queue = "mail"
        let goodBytes: [UInt8] = try good.serializedBytes()
        let unknownField: [UInt8] = [0xF8, 0x07, 0x01]
        let enqueue = Godwit_V1_Queue.Method.Enqueue.descriptor
        let cases: [(String, [UInt8], RPCError.Code?)] = [
            ("truncated", [0x0A, 0x7F, 0x61], .invalidArgument),
            (
                "a length of 2^63", [0x0A] + [UInt8](repeating: 0xFF, count: 8) + [0x7F],
                .invalidArgument
            ),
            ("an endless varint", [UInt8](repeating: 0xFF, count: 64), .invalidArgument),
            ("no UTF-8", [0x0A, 0x02, 0xC3, 0x28], .invalidArgument),
            ("an unknown field", goodBytes + unknownField, nil),
            ("1,000,000 fields", goodBytes + (0..<1_000_000).flatMap { _ in unknownField }, nil),
            ("deep groups", [UInt8](repeating: 0xFB, count: 100_000), .invalidArgument),
            ("5 MiB", [UInt8](repeating: 0x0A, count: 5 << 20), .resourceExhausted),
            // The transport ends such a call by itself, without a status of the door.
            ("9 MiB", [UInt8](repeating: 0x0A, count: 9 << 20), .unavailable),
            (
                "1,000,000 messages",
                goodBytes + (0..<1_000_000).flatMap { _ in [0x12, 0x00] as [UInt8] },
                .invalidArgument
            ),
        ]
        try await withDoor(broker) { port in
            try await RawClient.with(port) { client in
                for (name, bytes, code) in cases {
                    let error = try await client.call(enqueue, bytes, authorization: [bearer])
                    #expect(error?.code == code, "\(name): \(String(describing: error))")
                    #expect(
                        try await client.call(enqueue, goodBytes, authorization: [bearer]) == nil)
                }
            }
        }
    }

    @Test func `who reserves and never settles loses what it has when the leases run out`()
        async throws
    {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        let text = try await token("t", "*:produce,work", on: broker)
        try await withDoor(broker) { port in
            try await withRemote(port, token: text, time: clock) { remote in
                _ = try await remote.enqueue(
                    [NewMessage(id: MessageID(at: clock.now()), kind: "k", body: [1])], to: "mail")
                let request = ReserveRequest(1, lease: .seconds(30))
                #expect(try await remote.reserve(request, from: "mail").messages.count == 1)
                #expect(try await remote.reserve(request, from: "mail").messages.isEmpty)
            }
            clock.advance(by: .seconds(31))
            try await withRemote(port, token: text, time: clock) { other in
                _ = try await other.reclaim(10, in: "mail")
                let again = try await other.reserve(ReserveRequest(1), from: "mail")
                #expect(again.messages.count == 1)
            }
        }
    }
}
