// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Notes that the processes of a store leave each other.
@Suite("Board", .timeLimit(.minutes(2))) struct BoardTests {
    private static let text: [UInt8] = [UInt8]("note".utf8)

    @Test(arguments: BrokerKind.allCases)
    func `a note is read as it was written, with the store's times`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            let board = broker.board
            let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try await board.note("a", in: .duties) == nil)
            #expect(try await board.write(bytes, as: "a", in: .duties, for: nil, if: .any))
            clock.advance(by: .seconds(1))
            try await board.write([], as: "é\0%", in: .duties, for: .seconds(9), if: .any)
            let note = try #require(try await board.note("a", in: .duties))
            #expect(note.bytes == bytes && note.expiresAt == nil)
            #expect(note.writtenAt == Sample.start)
            let other = try #require(try await board.note("é\0%", in: .duties))
            #expect(other.bytes.isEmpty && other.writtenAt == clock.now())
            #expect(other.expiresAt == clock.now() + .seconds(9))
            #expect(try await board.notes(in: .duties) == [note, other])
            #expect(try await board.notes(in: .rules) == [])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a write happens only if the note stands as expected`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let board = broker.board
            func write(_ text: String, _ expected: NoteExpectation) async throws -> Bool {
                try await board.write(
                    [UInt8](text.utf8), as: "a", in: .duties, for: .seconds(30), if: expected)
            }
            #expect(try await !write("0", .version(1)))
            #expect(try await write("1", .absent))
            #expect(try await !write("2", .absent))
            let first = try #require(try await board.note("a", in: .duties))
            #expect(first.bytes == [UInt8]("1".utf8), "a refused write changes nothing")
            #expect(try await !write("3", .version(first.version + 1)))
            #expect(try await write("4", .version(first.version)))
            #expect(try await !write("5", .version(first.version)), "the version was used up")
            let second = try #require(try await board.note("a", in: .duties))
            #expect(second.version > first.version && second.bytes == [UInt8]("4".utf8))
            #expect(try await write("6", .any))
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `a note whose time is over is none`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let board = broker.board
            try await board.write(Self.text, as: "a", in: .duties, for: .seconds(15), if: .any)
            try await board.write(Self.text, as: "b", in: .duties, for: nil, if: .any)
            let old = try #require(try await board.note("a", in: .duties))
            clock.advance(by: .milliseconds(14_999))
            #expect(try await board.notes(in: .duties).map(\.name) == ["a", "b"])
            #expect(
                try await !board.write([], as: "a", in: .duties, for: nil, if: .absent))
            clock.advance(by: .milliseconds(1))
            #expect(try await board.note("a", in: .duties) == nil)
            #expect(try await board.notes(in: .duties).map(\.name) == ["b"])
            #expect(try await !board.erase("a", in: .duties, if: .any))
            let late = NoteExpectation.version(old.version)
            #expect(try await !board.write([1], as: "a", in: .duties, for: nil, if: late))
            #expect(try await board.write([2], as: "a", in: .duties, for: nil, if: .absent))
            #expect(
                try await !board.write([3], as: "a", in: .duties, for: nil, if: late),
                "a version of an earlier life means nothing")
            #expect(try await board.note("a", in: .duties)?.bytes == [2])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a later write without an end lets the note stay`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let board = broker.board
            try await board.write([1], as: "a", in: .state, for: .seconds(5), if: .any)
            try await board.write([2], as: "a", in: .state, for: nil, if: .any)
            clock.advance(by: .seconds(3600))
            // A write of another name drops what is over.
            try await board.write([3], as: "b", in: .state, for: nil, if: .any)
            #expect(try await board.note("a", in: .state)?.bytes == [2])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `erase takes a note away if it stands as expected`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let board = broker.board
            #expect(try await !board.erase("a", in: .rules, if: .any))
            try await board.write(Self.text, as: "a", in: .rules, for: nil, if: .any)
            let note = try #require(try await board.note("a", in: .rules))
            #expect(try await !board.erase("a", in: .rules, if: .absent))
            #expect(try await !board.erase("a", in: .rules, if: .version(note.version + 1)))
            #expect(try await board.note("a", in: .rules) == note)
            #expect(try await board.erase("a", in: .rules, if: .version(note.version)))
            #expect(try await board.notes(in: .rules) == [])
            #expect(try await !board.erase("a", in: .rules, if: .any))
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `one of many who want a duty gets it`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let winners = try await withThrowingTaskGroup(of: Int?.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await broker.board.write(
                            [UInt8(number)], as: "archive", in: .duties, for: .seconds(30),
                            if: .absent) ? number : nil
                    }
                }
                var winners: [Int] = []
                for try await number in group { if let number { winners.append(number) } }
                return winners
            }
            #expect(winners.count == 1)
            let note = try await broker.board.note("archive", in: .duties)
            #expect(note?.bytes == winners.map { UInt8($0) })
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a folder is bounded, and what is over makes room`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let board = broker.board
            // One of them ends, the others stay.
            try await board.write([], as: "first", in: .groups, for: .seconds(9), if: .any)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<50 {
                    group.addTask {
                        for number in 0..<200 where part + number > 0 {
                            try await board.write(
                                [], as: "\(part)-\(number)", in: .groups, for: nil, if: .any)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await board.notes(in: .groups).count == BoardLimits.notesPerFolder)
            await #expect {
                try await board.write([], as: "x", in: .groups, for: nil, if: .any)
            } throws: { error in
                if case BrokerError.storageFull = error { true } else { false }
            }
            #expect(
                try await board.write([1], as: "1-1", in: .groups, for: nil, if: .any),
                "what stands there can be written again")
            #expect(try await board.write([], as: "x", in: .state, for: nil, if: .any))
            clock.advance(by: .seconds(9))
            #expect(try await board.write([], as: "x", in: .groups, for: nil, if: .any))
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `names and bytes over their bounds are refused`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            let board = broker.board
            let long = String(repeating: "x", count: BoardLimits.nameBytes)
            let most = [UInt8](repeating: 7, count: BoardLimits.noteBytes)
            #expect(try await board.write(most, as: long, in: .state, for: nil, if: .any))
            #expect(try await board.note(long, in: .state)?.bytes == most)
            for name in ["", long + "x"] {
                await expectInvalid {
                    try await board.write([], as: name, in: .state, for: nil, if: .any)
                }
                await expectInvalid { _ = try await board.note(name, in: .state) }
                await expectInvalid { try await board.erase(name, in: .state, if: .any) }
            }
            await expectInvalid {
                try await board.write(most + [1], as: "a", in: .state, for: nil, if: .any)
            }
            await expectInvalid {
                try await board.write([], as: "a", in: .state, for: .zero, if: .any)
            }
        }
    }
}
