// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
import GodwitProtos
import GodwitTesting
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf
import Testing

/// Which notes a caller may see and write.
@Suite("Notes behind a door", .timeLimit(.minutes(2))) struct NoteScopeTests {
    private static func caller(_ acts: Act...) -> Caller {
        Caller { act, queue in
            acts.contains(act) && queue.map { $0.text.hasPrefix("mine") } ?? false
        }
    }

    private static func beat(_ number: UInt32, on queue: String) throws -> [UInt8] {
        try WorkerBeat(
            number: number, name: "host-\(number)", queue: queue, kinds: nil, slots: 1,
            startedAt: Timestamp(milliseconds: 0), leaseMilliseconds: 30_000
        ).bytes()
    }

    /// Worker 1 works on `mine`, worker 2 on `others`; each has an order.
    private func filled() async throws -> MemoryBroker {
        let store = MemoryBroker(time: VirtualClock())
        for (number, queue) in [(1, "mine"), (2, "others")] {
            try await store.write(
                try Self.beat(UInt32(number), on: queue), as: "\(number)", in: .workers, for: nil,
                if: .any)
            try await store.write(
                [UInt8]("stop".utf8), as: "\(number)", in: .orders, for: nil, if: .any)
        }
        return store
    }

    @Test(arguments: [Act.work, .inspect])
    func `workers and orders of others are left out`(_ act: Act) async throws {
        let store = try await filled()
        try await LoopbackDoor.open(store, as: Self.caller(act)) { remote async throws in
            for folder in [NoteFolder.workers, .orders] {
                #expect(try await remote.notes(in: folder).map(\.name) == ["1"])
                #expect(try await remote.note("1", in: folder) != nil)
                #expect(try await remote.note("2", in: folder) == nil)
            }
        }
        await store.shutdown()
    }

    @Test func `a worker writes and erases its own beat only`() async throws {
        let store = try await filled()
        try await LoopbackDoor.open(store, as: Self.caller(.work)) { remote async throws in
            func write(_ beat: [UInt8], as name: String) async throws {
                try await remote.write(beat, as: name, in: .workers, for: nil, if: .any)
            }
            try await write(try Self.beat(3, on: "mine-too"), as: "3")
            #expect(await isDenied { try await write(try Self.beat(3, on: "others"), as: "3") })
            #expect(await isDenied { try await write(try Self.beat(4, on: "mine"), as: "5") })
            #expect(
                await isDenied { try await write(try Self.beat(2, on: "mine"), as: "2") },
                "the worker of others is there")
            #expect(await isDenied { try await write([1, 2, 3], as: "6") }, "no beat at all")
            #expect(try await !remote.erase("2", in: .workers, if: .any))
            #expect(try await !remote.erase("2", in: .orders, if: .any))
            #expect(try await remote.erase("1", in: .orders, if: .any))
            #expect(try await remote.erase("3", in: .workers, if: .any))
        }
        #expect(try await store.notes(in: .workers).map(\.name) == ["1", "2"])
        #expect(try await store.notes(in: .orders).map(\.name) == ["2"])
        await store.shutdown()
    }

    @Test func `an order needs to be one for a worker of one's own`() async throws {
        let store = try await filled()
        let quiet = [UInt8]("quiet".utf8)
        try await LoopbackDoor.open(store, as: Self.caller(.operate)) { remote async throws in
            try await remote.write(quiet, as: "1", in: .orders, for: nil, if: .any)
            for name in ["2", "77"] {
                #expect(
                    await isDenied {
                        try await remote.write(quiet, as: name, in: .orders, for: nil, if: .any)
                    })
            }
        }
        try await LoopbackDoor.open(store, as: Self.caller(.inspect)) { remote async throws in
            #expect(
                await isDenied {
                    try await remote.write(quiet, as: "1", in: .orders, for: nil, if: .any)
                }, "to look is not to order")
            #expect(try await !remote.erase("1", in: .orders, if: .any))
        }
        #expect(try await store.note("1", in: .orders)?.bytes == quiet)
        await store.shutdown()
    }

    @Test func `notes of the whole store need an act on the whole store`() async throws {
        let store = try await filled()
        try await store.write([1], as: "a", in: .rules, for: nil, if: .any)
        try await LoopbackDoor.open(store, as: Self.caller(.inspect, .operate, .work)) {
            remote async throws in
            for folder in [NoteFolder.duties, .rules, .targets, .groups, .state] {
                #expect(await isDenied { _ = try await remote.notes(in: folder) })
                #expect(await isDenied { _ = try await remote.note("a", in: folder) })
                #expect(
                    await isDenied {
                        try await remote.write([], as: "a", in: folder, for: nil, if: .any)
                    })
                #expect(await isDenied { try await remote.erase("a", in: folder, if: .any) })
            }
        }
        let reader = Caller { act, _ in act == .inspect }
        try await LoopbackDoor.open(store, as: reader) { remote async throws in
            #expect(try await remote.note("a", in: .rules)?.bytes == [1])
            #expect(try await remote.notes(in: .rules).count == 1)
            #expect(await isDenied { try await remote.erase("a", in: .rules, if: .any) })
        }
        await store.shutdown()
    }

    @Test(arguments: ["tokens", "", "Tokens", "rules\0", "../tokens"])
    func `a folder that is not for the wire is denied to everybody`(_ folder: String) async throws {
        let store = try await filled()
        try await LoopbackDoor.serve(store) { port async throws in
            try await withGRPCClient(
                transport: try .http2NIOPosix(
                    target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
            ) { client in
                let door = Godwit_V1_Store.Client(wrapping: client)
                let calls: [() async throws -> Void] = [
                    { _ = try await door.notes(.with { $0.folder = folder }) },
                    {
                        _ = try await door.getNote(
                            .with {
                                $0.folder = folder
                                $0.name = "a"
                            })
                    },
                    {
                        _ = try await door.writeNote(
                            .with {
                                $0.folder = folder
                                $0.name = "a"
                                $0.expected.any = true
                            })
                    },
                    {
                        _ = try await door.eraseNote(
                            .with {
                                $0.folder = folder
                                $0.name = "a"
                                $0.expected.any = true
                            })
                    },
                ]
                for call in calls {
                    do {
                        try await call()
                        Issue.record("'\(folder)' was opened")
                    } catch let error as RPCError {
                        #expect(error.code == Caller.denial.code)
                        #expect(error.message == Caller.denial.message)
                    }
                }
            }
        }
        await store.shutdown()
    }

    @Test func `a folder over the bound of an answer comes in pages`() async throws {
        let store = MemoryBroker(time: VirtualClock())
        let bytes = [UInt8](repeating: 7, count: BoardLimits.noteBytes)
        for number in 0..<100 {
            try await store.write(bytes, as: "\(number)", in: .state, for: nil, if: .any)
        }
        try await LoopbackDoor.open(store) { remote async throws in
            let notes = try await remote.notes(in: .state)
            #expect(notes.count == 100 && Set(notes.map(\.name)).count == 100)
            #expect(notes.allSatisfy { $0.bytes == bytes })
        }
        await store.shutdown()
    }
}
