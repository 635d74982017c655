// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Testing

/// Every store that must keep the contract.
enum HistoryKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite, clickhouse

    var testDescription: String { rawValue }
}

/// Runs `body` with an empty history of the test's own.
func withHistory(
    _ kind: HistoryKind, _ body: (any HistoryStore) async throws -> Void
) async throws {
    switch kind {
    case .sqlite:
        try await withFolder { folder in
            let history = try SQLiteHistory(path: "\(folder)/history.db")
            try await ended(history) { try await body(history) }
        }
    case .clickhouse:
        let history = try await ClickHouseHistory(
            host: "127.0.0.1", port: try await SharedClickHouse.port(),
            database: SharedClickHouse.freshDatabase())
        try await ended(history) { try await body(history) }
    }
}

private func ended(_ history: any HistoryStore, _ body: () async throws -> Void) async throws {
    do { try await body() } catch {
        await history.shutdown()
        throw error
    }
    await history.shutdown()
}

func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("godwit-history-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}

/// SplitMix64, so that a seed gives the same rows everywhere. <https://prng.di.unimi.it/splitmix64.c>
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Random runs of three queues and four kinds, each ending in a millisecond of its own.
struct RandomRows {
    static let queues = ["mail", "billing", "a'b\\c\u{0}\t\"\n`é😀"]
    static let kinds = ["mail.send", "invoice", "#00c0ffee", "k'); DROP TABLE run --"]
    static let start = Timestamp(milliseconds: 1_795_305_600_000)  // 2026-11-22 00:00 UTC

    var random: Seeded

    init(seed: UInt64) { random = Seeded(seed) }

    mutating func rows(_ count: Int, over hours: Int = 5) -> [RunRow] {
        let span = Int64(hours) * 3_600_000 / Int64(count)
        return (0..<count).map { index in
            row(at: Int64(index) * span + Int64.random(in: 0..<span, using: &random))
        }
    }

    private mutating func one<Element>(of list: [Element]) -> Element {
        list[Int.random(in: list.indices, using: &random)]
    }

    mutating func row(at offset: Int64) -> RunRow {
        let finished = Self.start.milliseconds + offset
        let move = one(
            of: [
                Event.Move.ack, .ack, .ack, .ack, .retry, .release, .reject, .forward, .reclaim,
                .crashLoop, .cancel, .purge, .payloadLost,
            ])
        let hasRun = move != .cancel && move != .purge
        // From milliseconds to a day, as jobs are.
        func duration() -> Int64 {
            Int64.random(in: 0..<(1 << Int64.random(in: 1...26, using: &random)), using: &random)
        }
        let executed = finished - duration()
        // Sometimes a clock steps back.
        let ready =
            executed - duration() + (Int.random(in: 0..<50, using: &random) == 0 ? 1 << 27 : 0)
        let kind = one(of: Self.kinds)
        var row = RunRow(
            id: MessageID(
                high: random.next() & ~0xF000 | 0x7000, low: random.next() >> 2 | 1 << 63),
            generation: UInt8.random(in: 0...255, using: &random),
            run: UInt32.random(in: 0...0xFF_FFFF, using: &random),
            queue: one(of: Self.queues), kind: kind, verdict: move,
            attempt: UInt8.random(in: 0...255, using: &random),
            lost: UInt8.random(in: 0...3, using: &random),
            count: UInt16.random(in: 0...(.max), using: &random),
            worker: UInt32.random(in: 0...(.max), using: &random),
            insertedAt: Timestamp(milliseconds: ready - duration()),
            readyAt: Timestamp(milliseconds: ready),
            executedAt: hasRun ? Timestamp(milliseconds: executed) : nil,
            finishedAt: Timestamp(milliseconds: finished), reason: "", fingerprint: "")
        if row.isFailure {
            row.reason = one(of: Self.reasons)
            row.fingerprint = Fingerprint(kind: kind, reason: row.reason).id
        }
        return row
    }

    static let reasons = [
        "timed out", "Connection reset by peer", "user 17 not found", "it's \\ \"quoted\"",
        "nul \u{0} tab \t line \n return \r end", "\u{1b}[31mred\u{7}", "ünïcödé \u{202E} 😀",
        "'; DROP TABLE run; --", "{\"json\": [1, null]}", "\\N", "\\'", "%_", "",
    ]
}

extension HistoryRange {
    /// Five hours from the first row on.
    static var all: HistoryRange {
        HistoryRange(from: RandomRows.start, to: RandomRows.start + .seconds(5 * 3600))
    }
}
