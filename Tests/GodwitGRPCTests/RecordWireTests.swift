// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
import GodwitProtos
import SwiftProtobuf
import Testing

/// What a store says comes out of the wire as it went in.
@Suite("Records on the wire") struct RecordWireTests {
    private static let id = MessageID(at: Timestamp(milliseconds: 1_767_225_600_000))
    private static let least = Entry(
        id: id, kindHash: 0, maxAttempts: 0, insertedAt: Timestamp(milliseconds: 0),
        readyAt: Timestamp(milliseconds: 0))
    private static let most = Entry(
        id: id, priority: .last, sizeClass: 14, hasUniqueKey: true, kindHash: .max,
        maxAttempts: 255, insertedAt: Timestamp(milliseconds: (1 << 48) - 1),
        readyAt: Timestamp(milliseconds: (1 << 48) - 1), attempt: 255, lost: 255, generation: 255,
        epoch: 0xFF_FFFF, count: .max)

    /// Through the bytes, as they travel.
    private func sent<Wire: SwiftProtobuf.Message>(_ wire: Wire) throws -> Wire {
        try Wire(serializedBytes: try wire.serializedBytes() as [UInt8])
    }

    private static let records = [
        MessageRecord(state: .ready, entry: least, count: 0),
        MessageRecord(
            state: .dead, entry: most, kind: "mail", count: 65_536,
            executedAt: Timestamp(milliseconds: 0), finishedAt: Timestamp(milliseconds: 1),
            dueAt: Timestamp(milliseconds: .max), leaseDeadline: Timestamp(milliseconds: .min),
            worker: .max, uniqueKey: "", reason: "é\0\u{1B}[31m", verdict: .crashLoop,
            checkpoint: [],
            attempts: [
                .init(
                    at: Timestamp(milliseconds: 7), worker: 0, count: 1, verdict: "retry",
                    reason: String(repeating: "x", count: 2048))
            ], body: []),
        MessageRecord(
            state: .leased, entry: most, kind: "", count: 1, worker: 0, reason: "",
            checkpoint: [0, 255], body: [UInt8](repeating: 7, count: 1 << 20)),
    ]

    @Test func `a record is read as it was written, with what it lacks`() throws {
        for record in Self.records {
            #expect(MessageRecord(try sent(record.wire)) == record)
            let found = FoundMessage(queue: "work", record: record)
            #expect(FoundMessage(try sent(found.wire)) == found)
        }
        for move in Event.Move.allCases {
            var record = Self.records[0]
            record.verdict = move
            #expect(MessageRecord(try sent(record.wire)) == record)
        }
        for state in MessageState.allCases { #expect(MessageState(state.wire) == state) }
    }

    @Test func `counts and settings are read as they were written`() throws {
        var counts = QueueCounts()
        #expect(QueueCounts(try sent(counts.wire)) == counts)
        // Every number another, so that none can be taken for its neighbour.
        (counts.ready, counts.scheduled, counts.leased, counts.dead) = (1, 2, 3, 4)
        (counts.suspects, counts.enqueued, counts.completed, counts.retried) = (5, 6, 7, 8)
        (counts.released, counts.rejected, counts.forwarded, counts.cancelled) = (9, 10, 11, 12)
        (counts.lost, counts.redriven, counts.pruned, counts.isPaused) = (13, 14, .max, true)
        #expect(QueueCounts(try sent(counts.wire)) == counts)
        var settings = QueueSettings()
        #expect(QueueSettings(try sent(settings.wire)) == settings)
        settings.keepMilliseconds = .max
        settings.keepRecords = 1
        settings.keepDeadMilliseconds = 2
        settings.keepDead = .max
        settings.maxMessages = 3
        settings.maxLeased = 0
        settings.tracksLeases = false
        settings.recordsEvents = false
        #expect(QueueSettings(try sent(settings.wire)) == settings)
        for kind in [
            KindCount(
                kind: "mail", hash: .max, ready: .max, oldestReadyAt: Timestamp(milliseconds: 0)),
            KindCount(kind: "", hash: 0, ready: 0),
        ] {
            #expect(KindCount(try sent(kind.wire)) == kind)
        }
    }

    @Test func `events, notes and faults are read as they were written`() throws {
        let token = LeaseToken(
            entry: Self.most, executedAt: Timestamp(milliseconds: 5), nonce: 0xABCD_0123_4567_89EF)
        let batch = EventBatch(
            position: EventPosition("7-1"),
            events: Event.Move.allCases.map {
                Event(move: $0, at: Timestamp(milliseconds: 1), token: token, text: "é\0")
            }, extra: [1, 0])
        #expect(EventBatch(try sent(batch.wire(nil))) == batch)
        let empty = EventBatch(position: EventPosition("0"), events: [])
        #expect(EventBatch(try sent(empty.wire(nil))) == empty)
        for backlog in [
            EventBacklog(waiting: 0),
            EventBacklog(
                waiting: 10_000, oldestAt: Timestamp(milliseconds: 0), dropped: .max,
                archived: EventPosition("")),
        ] {
            #expect(EventBacklog(try sent(backlog.wire)) == backlog)
        }
        for note in [
            Note(name: "é\0%", bytes: [], version: 0, writtenAt: Timestamp(milliseconds: 1)),
            Note(
                name: "a", bytes: [0, 255], version: .max, writtenAt: Timestamp(milliseconds: 1),
                expiresAt: Timestamp(milliseconds: 0)),
        ] {
            #expect(Note(try sent(note.wire)) == note)
        }
        for expected in [NoteExpectation.any, .absent, .version(0), .version(.min)] {
            #expect(try NoteExpectation(try sent(expected.wire), "write") == expected)
        }
        for kind in Fault.Kind.allCases {
            let fault = Fault(kind, in: "work", message: Self.id, place: "w:1 ff", "It is.")
            #expect(try Fault(try sent(fault.wire), in: "work") == fault)
        }
        let whole = Fault(.counter, in: "work", "")
        #expect(try Fault(try sent(whole.wire), in: "work") == whole)
        for outcome in [RepairOutcome.mended("x"), .gone, .refused("")] {
            #expect(RepairOutcome(try sent(outcome.wire)) == outcome)
        }
        for outcome in [RedriveOutcome.redriven, .notDead, .uniqueKeyTaken(by: Self.id)] {
            #expect(RedriveOutcome(try sent(outcome.wire)) == outcome)
        }
    }

    @Test func `an event tells nothing of a token's secret where clients are told apart`() throws {
        let token = LeaseToken(
            entry: Self.most, executedAt: Timestamp(milliseconds: 5), nonce: 0xABCD_0123_4567_89EF)
        let event = Event(move: .ack, at: Timestamp(milliseconds: 1), token: token)
        let shown = try #require(Event(event.wire(TokenMask { _ in 42 })))
        #expect(shown.token.nonce == 0xABCD_0123_0000_0000, "the worker's number stays")
        #expect(shown.token.entry == Self.most)
    }

    @Test func `words of a newer server are nothing that could be taken for another`() throws {
        var record = Self.records[0].wire
        record.state = .UNRECOGNIZED(99)
        #expect(MessageRecord(record) == nil)
        record = Self.records[0].wire
        record.verdict = "vanish"
        #expect(MessageRecord(record)?.verdict == nil)
        record.entry = Data([1, 2, 3])
        #expect(MessageRecord(record) == nil)
        var event = Godwit_V1_Event()
        event.move = "vanish"
        event.token = Data(count: LeaseToken.size)
        #expect(Event(event) == nil)
        var batch = Godwit_V1_EventBatch()
        batch.events = [event]
        #expect(EventBatch(batch) == nil, "a batch without one of its events would lose a run")
        var redrive = Godwit_V1_RedriveOutcome()
        redrive.result = .UNRECOGNIZED(99)
        #expect(RedriveOutcome(redrive) == nil)
        redrive.result = .uniqueKeyTaken
        #expect(RedriveOutcome(redrive) == nil, "without an id")
        var repair = Godwit_V1_RepairResponse()
        repair.result = .UNRECOGNIZED(99)
        #expect(RepairOutcome(repair) == nil)
        var fault = Godwit_V1_Fault()
        fault.kind = "vanish"
        #expect(throws: WireError.self) { try Fault(fault, in: "work") }
        var finding = Godwit_V1_Diagnosis()
        finding.grade = "superb"
        finding.sentence = "\u{1B}[2J"
        #expect(Diagnosis(finding).grade == .note)
        #expect(!Diagnosis(finding).sentence.contains("\u{1B}"))
        for wire in [
            Godwit_V1_NoteExpectation(), .with { $0.any = false }, .with { $0.absent = false },
        ] {
            #expect(throws: WireError.self) { try NoteExpectation(wire, "write") }
        }
    }
}
