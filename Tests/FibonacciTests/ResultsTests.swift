// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Foundation
import Testing

@Suite("Results") struct ResultsTests {
    static func answer(_ n: UInt32, _ decimal: String, from process: Int32 = 1) -> Answer {
        Answer(
            n: n, decimal: decimal, message: "m\(n)", run: 1, process: process,
            waitedMilliseconds: 0, computedMicroseconds: 0)
    }

    static func with(_ body: (Results) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("fibonacci-results-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(Results(folder: folder.path))
    }

    @Test func `the first answer stays, and the same digits again change nothing`() async throws {
        try await Self.with { results in
            #expect(try results.answer(to: 7) == nil)
            #expect(try results.keep(Self.answer(7, "13", from: 1)) == .kept)
            #expect(try results.keep(Self.answer(7, "13", from: 2)) == .wasThere)
            #expect(try results.answer(to: 7)?.process == 1)
            let listing = try results.listing()
            #expect(listing.answers.count == 1 && listing.unfinished == 0)
        }
    }

    @Test func `other digits are refused and leave the first as it is`() async throws {
        try await Self.with { results in
            _ = try results.keep(Self.answer(7, "13"))
            let error = #expect(throws: ResultsError.self) {
                try results.keep(Self.answer(7, "14"))
            }
            #expect("\(try #require(error))".contains("F-7.json"))
            #expect(try results.answer(to: 7)?.decimal == "13")
        }
    }

    @Test func `of fifty that bring one at once, one is kept`() async throws {
        try await Self.with { results in
            let outcomes = try await withThrowingTaskGroup(of: Results.Outcome.self) { group in
                for process in 1...50 {
                    group.addTask { try results.keep(Self.answer(93, "1", from: Int32(process))) }
                }
                var outcomes: [Results.Outcome] = []
                for try await outcome in group { outcomes.append(outcome) }
                return outcomes
            }
            #expect(outcomes.count { $0 == .kept } == 1 && outcomes.count == 50)
            #expect(try results.listing().answers.count == 1)
        }
    }

    @Test func `what a kill left is counted and never read`() async throws {
        try await Self.with { results in
            try Data("{\"n\":8".utf8).write(
                to: URL(fileURLWithPath: "\(results.folder)/.draft-8-x"))
            let listing = try results.listing()
            #expect(listing.unfinished == 1 && listing.answers.isEmpty && listing.damaged.isEmpty)
            #expect(try results.keep(Self.answer(8, "21")) == .kept)
        }
    }

    @Test(arguments: [
        "", "{}", "{\"n\":8", "not json",
        #"{"n":9,"decimal":"21","message":"","run":1,"process":1,"waitedMilliseconds":0,"computedMicroseconds":0}"#,
        #"{"n":8,"decimal":"2e1","message":"","run":1,"process":1,"waitedMilliseconds":0,"computedMicroseconds":0}"#,
        #"{"n":8,"decimal":"","message":"","run":1,"process":1,"waitedMilliseconds":0,"computedMicroseconds":0}"#,
    ])
    func `a file that holds no answer is damaged`(_ text: String) async throws {
        try await Self.with { results in
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(results.folder)/F-8.json"))
            #expect(try results.listing().damaged == ["F-8.json"])
            #expect(throws: ResultsError.self) { try results.answer(to: 8) }
        }
    }

    @Test(arguments: ["F-08.json", "F--8.json", "F-8x.json", "F-4294967296.json"])
    func `a name that no answer has is damaged`(_ name: String) async throws {
        try await Self.with { results in
            _ = try results.keep(Self.answer(8, "21"))
            try FileManager.default.copyItem(
                atPath: "\(results.folder)/F-8.json", toPath: "\(results.folder)/\(name)")
            let listing = try results.listing()
            #expect(listing.damaged == [name] && listing.answers.count == 1)
        }
    }
}
