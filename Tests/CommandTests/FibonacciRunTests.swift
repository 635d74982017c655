// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

extension Tool {
    static let fibonacci = Tool(name: "fibonacci")
}

@Suite("fibonacci", .timeLimit(.minutes(5))) struct FibonacciRunTests {
    /// 40 numbers by 3 processes, one of which is killed.
    static let small = [
        "run", "--count", "40", "--largest", "5000", "--wait-to", "200", "--lease", "2",
        "--concurrency", "3", "-o", "json",
    ]

    /// What must hold whoever was killed where.
    static func check(_ outcome: Tool.Outcome, in folder: URL) throws {
        #expect(outcome.status == 0, "\(outcome)")
        let report = try outcome.object()
        #expect(report["numbers"] as? Int == 40 && report["once"] as? Int == 40, "\(report)")
        #expect(report["results"] as? Int == 40 && report["dead"] as? Int == 1)
        #expect((report["problems"] as? [String])?.isEmpty == true)
        #expect(outcome.err.contains("SIGKILL"))
        // The killed one held something, and what it held was taken back and ended by another.
        let killed = try #require(report["killed"] as? [String: Any])
        let held = try #require(killed["held"] as? [Int])
        #expect((1...3).contains(held.count))
        let courses = try #require(report["courses"] as? [[String: Any]])
        #expect(courses.count == 41)
        for course in courses where held.contains(course["n"] as? Int ?? -1) {
            #expect(course["worker"] as? Int != killed["worker"] as? Int, "\(course)")
            #expect(course["runs"] as? Int ?? 0 >= 2 && course["acks"] as? Int == 1)
            let losses = try #require(course["losses"] as? [[String: Any]])
            #expect(losses.contains { $0["worker"] as? Int == killed["worker"] as? Int })
            // Not before its lease had run out.
            #expect(losses.allSatisfy { $0["milliseconds"] as? Int ?? 0 >= 2000 }, "\(course)")
        }
        let comparison = try #require(report["comparison"] as? [String: Any])
        #expect(comparison["compared"] as? Int == 40)
        #expect((comparison["by"] as? String)?.contains("Python") == true)
        let formula = try #require(report["formula"] as? [[String: Any]])
        #expect(formula.map { $0["n"] as? Int } == [72, 71])
        let service = try #require(report["service"] as? [String: Any])
        // Each number once, and again for what the killed worker had asked and could not keep.
        #expect(service["answered"] as? Int ?? 0 >= 40 && service["refused"] as? Int == 1)
        #expect(try Self.decimal(12, in: folder) == "144")
        #expect(try Self.decimal(5000, in: folder)?.count == 1045)
    }

    /// The digits of a result; nil when there is none.
    static func decimal(_ n: Int, in folder: URL) throws -> String? {
        let file = folder.appendingPathComponent("results/F-\(n).json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let object = try JSONSerialization.jsonObject(with: try Data(contentsOf: file))
        return (object as? [String: Any])?["decimal"] as? String
    }

    @Test func `with a worker killed, every number is answered once and as Python says`()
        async throws
    {
        try await withPlace { place in
            let outcome = try await Tool.fibonacci.run(
                Self.small + ["--into", place.folder.path], in: place.folder)
            try Self.check(outcome, in: place.folder)
            // A wrong digit is found, and named.
            let file = place.file("results/F-12.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(text.contains("\"decimal\":\"144\""))
            try text.replacingOccurrences(of: "\"144\"", with: "\"145\"")
                .write(to: file, atomically: true, encoding: .utf8)
            let report = try await Tool.fibonacci.run([
                "report", "--broker", "sqlite:\(place.folder.path)/fibonacci.db", "--results",
                place.file("results").path,
            ])
            #expect(report.status == 1)
            #expect(report.err.contains("other digits for 12"), "\(report)")
            // A second run does not begin among the answers of the first.
            let refused = try await Tool.fibonacci.run(
                Self.small + ["--into", place.folder.path], in: place.folder)
            #expect(refused.status != 0 && refused.err.contains("earlier run"), "\(refused)")
        }
    }

    @Test func `the same on Redis`() async throws {
        let server = try await SharedRedis.freshURL()
        try await withPlace { place in
            let outcome = try await Tool.fibonacci.run(
                Self.small + ["--into", place.folder.path, "--broker", server], in: place.folder)
            try Self.check(outcome, in: place.folder)
        }
    }

    @Test func `a number that is asked for again finds its answer and changes nothing`()
        async throws
    {
        try await withPlace { place in
            let said = place.file("said")
            try Data().write(to: said)
            let output = open(said.path, O_WRONLY | O_CLOEXEC)
            defer { close(output) }
            let service = try Tool.fibonacci.start(
                ["service", "--port", "0", "--wait-to", "20", "--put-off", "0"], output: output)
            var port: Int?
            while port == nil {
                let data = try Data(contentsOf: said)
                let object = try? JSONSerialization.jsonObject(with: data)
                port = (object as? [String: Any])?["port"] as? Int
                try await Task.sleep(for: .milliseconds(10))
            }
            var contents: [Data] = []
            for _ in 0..<2 {
                let asked = try await Tool.fibonacci.run(
                    ["enqueue", "10", "300", "10", "--broker", place.broker])
                // While it waits the same number is the same message.
                #expect(try asked.object()["added"] as? Int == 2)
                let worked = try await Tool.fibonacci.run([
                    "work", "--drain", "--broker", place.broker, "--service",
                    "127.0.0.1:\(try #require(port))", "--results", place.file("results").path,
                ])
                #expect(worked.status == 0, "\(worked)")
                contents.append(try Data(contentsOf: place.file("results/F-300.json")))
            }
            #expect(contents[0] == contents[1])
            #expect(try Self.decimal(10, in: place.folder) == "55")
            let report = try await Tool.fibonacci.run([
                "report", "--all", "--broker", place.broker, "--results",
                place.file("results").path,
            ])
            #expect(report.status == 0, "\(report)")
            #expect(report.out.contains("equal to Python"))
            service.terminate()
            #expect(await service.end() == .exit(0))
            let sums = try String(contentsOf: said, encoding: .utf8).split(separator: "\n").last
            #expect(sums?.contains("\"calls\":2") == true, "\(sums ?? "")")
        }
    }

    @Test func `without a service the messages wait, and none is lost`() async throws {
        try await withPlace { place in
            let outcome = try await Tool.fibonacci.run(
                ["enqueue", "10", "--broker", place.broker])
            #expect(outcome.status == 0, "\(outcome)")
            let errors = place.file("errors")
            try Data().write(to: errors)
            let output = open(errors.path, O_WRONLY | O_CLOEXEC)
            defer { close(output) }
            let worker = try Tool.fibonacci.start(
                [
                    "work", "--broker", place.broker, "--service", "127.0.0.1:1", "--results",
                    place.file("results").path,
                ], errors: output)
            while !(try String(contentsOf: errors, encoding: .utf8)).contains("UNAVAILABLE") {
                try await Task.sleep(for: .milliseconds(10))
            }
            worker.terminate()
            #expect(await worker.end() == .exit(0))
            let listing = try FileManager.default.contentsOfDirectory(
                atPath: place.file("results").path)
            #expect(listing.isEmpty)
            // It is ready, or scheduled for its next try; not dead.
            let dead = try await place.godwit("dead", "list", "fibonacci", "-o", "json")
            #expect(try dead.array().isEmpty, "\(dead)")
        }
    }

    @Test func `without python3 it says so before it begins`() async throws {
        try await withPlace { place in
            let outcome = try await Tool.fibonacci.run(
                Self.small + ["--into", place.folder.path], environment: ["PATH": "/nowhere"],
                in: place.folder)
            #expect(outcome.status != 0)
            #expect(outcome.err.contains("python3") && outcome.err.contains("--no-check"))
            #expect(!FileManager.default.fileExists(atPath: place.file("fibonacci.db").path))
        }
    }

    @Test(arguments: [
        (["run", "--count", "0"], "--count"), (["run", "--workers", "1"], "--workers"),
        (["run", "--count", "100", "--largest", "50"], "--largest"),
        (["run", "--largest", "2000000"], "--bound"), (["run", "--lease", "0"], "--lease"),
        (["run", "--wait-from", "9", "--wait-to", "5"], "--wait-to"),
        (["run", "--put-off", "1"], "--put-off"), (["service", "--port", "70000"], "--port"),
        (["service", "--bound", "99999999"], "--bound"),
        (
            ["work", "--broker", "sqlite:x.db", "--service", "nonsense", "--results", "r"],
            "host:port"
        ),
        (["work", "--broker", "nonsense", "--service", "h:1", "--results", "r"], "--broker"),
        (["enqueue", "--broker", "sqlite:x.db", "-5"], "-5"),
        (["enqueue", "--broker", "sqlite:x.db", "4294967296"], "4294967296"),
    ])
    func `bad input is refused with the option that holds it`(
        _ arguments: [String], _ word: String
    ) async throws {
        try await withPlace { place in
            let outcome = try await Tool.fibonacci.run(arguments, in: place.folder)
            #expect(outcome.status != 0)
            #expect(outcome.err.contains(word), "\(outcome)")
            #expect(outcome.out.isEmpty)
        }
    }
}
