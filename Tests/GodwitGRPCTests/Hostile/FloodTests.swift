// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import Testing

/// What a connection does that wants to harm: with no token, as anybody can.
enum Flood: String, CaseIterable, Sendable {
    case rapidReset, continuation, ping, settings, emptyData, hpackBomb, zeroWindow, longPrefix
    case truncated, garbage, oddGoAway, altSvcOrigin, controlBytes, hugeFrame, manyStreams

    /// The server ends the connection by itself.
    var isClosed: Bool {
        switch self {
        case .rapidReset, .continuation, .ping, .garbage, .hugeFrame, .hpackBomb: true
        default: false
        }
    }

    /// In parts, so that the attacker itself needs little memory.
    var parts: [[UInt8]] {
        let hello = Frames.preface + Frames.settings
        func streams(_ numbers: Range<UInt32>, _ make: (UInt32) -> [UInt8]) -> [UInt8] {
            numbers.flatMap { make($0 * 2 + 1) }
        }
        switch self {
        case .rapidReset:
            return [hello]
                + (0..<100).map { part in
                    streams(UInt32(part) * 100..<UInt32(part) * 100 + 100) { stream in
                        Frames.frame(1, 4, stream, Frames.call())
                            + Frames.frame(3, 0, stream, [0, 0, 0, 8])
                    }
                }
        case .continuation:
            return [hello + Frames.frame(1, 0, 1, Frames.call())]
                + (0..<100).map { _ in
                    (0..<100).flatMap { _ in Frames.frame(9, 0, 1, Frames.head([("a", "b")])) }
                }
        case .ping:
            return [hello]
                + (0..<100).map { _ in
                    (0..<100).flatMap { _ in Frames.frame(6, 0, 0, [UInt8](repeating: 7, count: 8))
                    }
                }
        case .settings:
            return [hello]
                + (0..<100).map { _ in
                    (0..<100).flatMap { _ in Frames.frame(4, 0, 0, [0, 4, 0, 1, 0, 0]) }
                }
        case .emptyData:
            return [hello + Frames.frame(1, 4, 1, Frames.call())]
                + (0..<100).map { _ in (0..<100).flatMap { _ in Frames.frame(0, 0, 1, []) } }
        case .hpackBomb:
            // One entry of 4,000 bytes for the table, then 10,000 references to it: 40 MB out of 14 KB.
            var entry: [UInt8] = [0x40, 1, 0x61, 0x7F, 0xA1, 0x1E]
            entry += [UInt8](repeating: 0x62, count: 4000)
            let bomb = Frames.call() + entry + [UInt8](repeating: 0xBE, count: 10_000)
            return [hello + Frames.frame(1, 5, 1, bomb)]
        case .zeroWindow:
            return [Frames.preface + Frames.frame(4, 0, 0, [0, 4, 0, 0, 0, 0])]
                + [
                    streams(0..<100) { stream in
                        Frames.frame(1, 4, stream, Frames.call())
                            + Frames.frame(0, 1, stream, Frames.message([]))
                    }
                ]
        case .longPrefix:
            return [
                hello + Frames.frame(1, 4, 1, Frames.call())
                    + Frames.frame(0, 0, 1, Frames.message([1, 2, 3], length: .max))
            ]
        case .truncated:
            return [
                hello + Frames.frame(1, 4, 1, Frames.call())
                    + Frames.frame(0, 1, 1, [0, 0, 0], length: 3).dropLast(1)
            ]
        case .garbage:
            return [hello] + [(0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }]
        case .oddGoAway:
            return [
                hello + Frames.frame(7, 0, 0, [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
                    + Frames.frame(7, 0, 0, [0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3])
                    + Frames.frame(1, 5, 1, Frames.call())
            ]
        case .altSvcOrigin:
            return [
                hello + Frames.frame(0xA, 0, 0, [0, 1, 0x61, 0x62])
                    + Frames.frame(0xC, 0, 0, [0, 3, 0x61, 0x62, 0x63])
                    + Frames.frame(0xA, 0, 1, [0xFF, 0xFF]) + Frames.frame(0xC, 0, 0, [0xFF])
            ]
        case .controlBytes:
            return [
                hello
                    + Frames.frame(1, 5, 1, Frames.call("/grpc.health.v1.Health/Check\r\nx: y\0"))
                    + Frames.frame(
                        1, 5, 3,
                        Frames.call() + Frames.head([("authorization", "Bearer a\r\nb\0")]))
            ]
        case .hugeFrame:
            return [hello + Frames.frame(0, 0, 1, [], length: 0xFF_FFFF)]
                + [[UInt8](repeating: 0, count: 100_000)]
        case .manyStreams:
            return [hello] + [streams(0..<1000) { Frames.frame(1, 4, $0, Frames.call()) }]
        }
    }
}

/// Floods and broken frames, one connection each, while others work.
@Suite("Floods", .serialized, .timeLimit(.minutes(1))) struct FloodTests {
    @Test(arguments: Flood.allCases)
    func `others are answered during and after it`(_ flood: Flood) async throws {
        let broker = MemoryBroker()
        let text = try await token("other", "*:produce", on: broker)
        try await withDoor(broker) { port in
            try await withRemote(port, token: text) { other in
                _ = try await other.enqueue([.sample], to: "mail")
                let peer = try await RawPeer(port: port)
                for part in flood.parts {
                    guard await peer.send(part) else { break }
                }
                if flood.isClosed { await peer.untilClosed() }
                _ = try await other.enqueue([.sample], to: "mail")
                await peer.close()
                try await withRemote(port, token: text) { third in
                    _ = try await third.enqueue([.sample], to: "mail")
                }
            }
        }
        #expect(try await broker.inspector.counts(of: "mail").ready == 3)
    }

    @Test func `connections beyond the bound are closed, and those before go on`() async throws {
        let broker = MemoryBroker()
        let text = try await token("other", "*:produce", on: broker)
        try await withDoor(broker) {
            $0.limits.connections = 3
        } _: { port in
            try await withRemote(port, token: text) { other in
                _ = try await other.enqueue([.sample], to: "mail")
                let first = try await RawPeer(port: port)
                let second = try await RawPeer(port: port)
                let third = try await RawPeer(port: port)
                await third.untilClosed()
                _ = try await other.enqueue([.sample], to: "mail")
                await first.close()
                await second.close()
            }
        }
    }

    @Test func `a connection without a call ends by itself`() async throws {
        try await withDoor(MemoryBroker()) {
            $0.limits.idle = .milliseconds(50)
        } _: { port in
            let peer = try await RawPeer(port: port, answersPings: true)
            await peer.send(Frames.preface + Frames.settings)
            await peer.untilClosed()
        }
    }

    /// With a call that goes on, and before any.
    @Test(arguments: [
        [], Frames.preface + Frames.settings + Frames.frame(1, 4, 1, Frames.call()),
    ])
    func `a connection on which nothing comes ends, whatever it is asked`(
        _ bytes: [UInt8]
    ) async throws {
        try await withDoor(MemoryBroker()) {
            $0.limits.silence = .milliseconds(50)
        } _: { port in
            let silent = try await RawPeer(port: port)
            await silent.send(bytes)
            await silent.untilClosed()
        }
    }

    @Test func `a connection that answers pings is kept while its call goes on`() async throws {
        try await withDoor(MemoryBroker()) {
            $0.limits.silence = .milliseconds(400)
        } _: { port in
            let peer = try await RawPeer(port: port, answersPings: true)
            await peer.send(
                Frames.preface + Frames.settings + Frames.frame(1, 4, 1, Frames.call()))
            // One comes after three quarters of a silence, so these take longer than two.
            await peer.untilPings(3)
            #expect(peer.isOpen)
            await peer.close()
        }
    }
}
