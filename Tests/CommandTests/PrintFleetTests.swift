// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

extension Tool {
    static let fleet = Tool(name: "print-fleet")
}

@Suite(.timeLimit(.minutes(5))) struct `print-fleet` {
    /// How many devices of 200 days the test of several processes takes: about 300 readings each.
    private static let devices =
        ProcessInfo.processInfo.environment["GODWIT_FLEET_DEVICES"].flatMap(Int.init) ?? 100

    @Test func `readings from stdin give a table by days left, with nothing installed`()
        async throws
    {
        try await withPlace { place in
            let readings = try await Self.generate(devices: 5, in: place)
            let worked = try await Tool.fleet.run(
                ["work", "--broker", "sqlite:fleet.db"], input: readings, in: place.folder)
            #expect(worked.status == 0, "\(worked)")
            let lines = worked.out.split(separator: "\n")
            #expect(lines.first?.contains("days left") == true)
            #expect(lines.count >= 6, "five devices with a supply each")
            #expect(worked.err.contains("0 duplicates"), "\(worked.err)")
            let again = try await Tool.fleet.run(
                ["report", "--broker", "sqlite:fleet.db", "--html", "fleet.html"],
                in: place.folder)
            #expect(again.out == worked.out, "the store holds what was printed")
            let html = try String(contentsOf: place.file("fleet.html"), encoding: .utf8)
            #expect(html.contains("<svg") && !html.contains("<script"))
        }
    }

    @Test func `the same readings twice change no forecast and no alert`() async throws {
        try await withPlace { place in
            let readings = try await Self.generate(devices: 3, in: place)
            var outputs: [String] = []
            for _ in 0..<2 {
                let worked = try await Tool.fleet.run(
                    ["work", "--broker", "sqlite:fleet.db", "-o", "jsonl"], input: readings,
                    in: place.folder)
                #expect(worked.status == 0, "\(worked)")
                outputs.append(worked.out)
            }
            #expect(outputs[0] == outputs[1])
            #expect(!outputs[0].isEmpty)
        }
    }

    @Test func `bad lines are put aside with their number and reason, the rest goes on`()
        async throws
    {
        try await withPlace { place in
            let good = try await Self.generate(devices: 1, in: place)
            var input = Data("{\"v\":1,\"device\":\"cut\n".utf8)
            input += good
            input += Data("not json\n".utf8)
            input += Data("{\"v\":2,\"device\":\"x\"}\n".utf8)
            input += Data(repeating: UInt8(ascii: "x"), count: 10_000_000)
            input += Data("\n".utf8)
            input += Data([0xFF, 0xFE, 0x0A])
            input += Data("{\"v\":1,\"device\":\"half\",\"time\":\"2026-".utf8)
            let worked = try await Tool.fleet.run(
                ["work", "--broker", "memory:", "--rejects", "rejects.jsonl"], input: input,
                in: place.folder)
            #expect(worked.status == 0, "\(worked)")
            #expect(worked.err.contains("6 lines rejected"), "\(worked.err)")
            let rejects = try String(contentsOf: place.file("rejects.jsonl"), encoding: .utf8)
                .split(separator: "\n")
            let objects = try rejects.map { line in
                try #require(
                    try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            }
            let lines = good.count { $0 == 0x0A }
            #expect(
                objects.map { $0["number"] as? Int } == [
                    1, lines + 2, lines + 3, lines + 4, lines + 5, lines + 6,
                ])
            #expect(
                objects.map { $0["reason"] as? String } == [
                    "not_json", "not_an_object", "version", "too_long", "not_utf8", "not_json",
                ])
            #expect(objects[3]["bytes"] as? Int == 10_000_000)
            #expect(objects[1]["line"] as? String == "not json")
        }
    }

    @Test func `a folder is watched, and what was taken is renamed`() async throws {
        try await withPlace { place in
            let readings = try await Self.generate(devices: 2, in: place)
            let folder = place.file("inbox")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let half = readings.count / 2
            let cut = (readings[half...].firstIndex(of: 0x0A) ?? half) + 1
            try readings[..<cut].write(to: folder.appendingPathComponent("1.jsonl"))
            let worker = try Tool.fleet.start(
                ["work", "--broker", "sqlite:fleet.db", "--watch", "inbox", "-o", "none"],
                in: place.folder)
            try readings[cut...].write(to: place.file("2.tmp"))
            try FileManager.default.moveItem(
                at: place.file("2.tmp"), to: folder.appendingPathComponent("2.jsonl"))
            let done = folder.appendingPathComponent("2.jsonl.done").path
            // Each look is a process of its own, so the loop needs no pause.
            while !FileManager.default.fileExists(atPath: done) {
                _ = try await place.godwit("stream", "list")
            }
            worker.terminate()
            #expect(await worker.end().status == 0)
            #expect(
                FileManager.default.fileExists(
                    atPath: folder.appendingPathComponent("1.jsonl.done").path))
            let finished = try await Tool.fleet.run(
                ["work", "--broker", "sqlite:fleet.db", "-o", "jsonl"], in: place.folder)
            let straight = try await Tool.fleet.run(
                ["work", "--broker", "memory:", "-o", "jsonl"], input: readings, in: place.folder)
            #expect(finished.out == straight.out)
        }
    }

    @Test func `a reading of the future is rejected and spoils no forecast`() async throws {
        try await withPlace { place in
            let readings = try await Self.generate(devices: 1, in: place)
            let first = String(decoding: readings.prefix { $0 != 0x0A }, as: UTF8.self)
            let year = try #require(first.firstRange(of: "\"time\":\"20"))
            let future = first.replacingCharacters(in: year, with: "\"time\":\"99")
            let straight = try await Tool.fleet.run(
                ["work", "--broker", "memory:", "-o", "jsonl"], input: readings, in: place.folder)
            let worked = try await Tool.fleet.run(
                ["work", "--broker", "memory:", "-o", "jsonl"],
                input: Data((future + "\n").utf8) + readings, in: place.folder)
            #expect(worked.out == straight.out)
            #expect(worked.err.contains("stdin:1: clock_skew"), "\(worked.err)")
            #expect(worked.err.contains("1 lines rejected: 1 clock_skew"), "\(worked.err)")
        }
    }

    @Test func `a worker ends on SIGTERM while its input is silent`() async throws {
        try await withPlace { place in
            let pipe = place.file("pipe")
            try #require(mkfifo(pipe.path, 0o600) == 0)
            // Why for reading too: whoever opens one end alone waits for the other.
            let held = open(pipe.path, O_RDWR | O_CLOEXEC)
            defer { close(held) }
            let reading = try await Self.generate(devices: 1, in: place)
            let line = Data(reading.prefix { $0 != 0x0A }) + Data([0x0A])
            _ = line.withUnsafeBytes { write(held, $0.baseAddress, $0.count) }
            let worker = try Tool.fleet.start(
                ["work", "--broker", "sqlite:fleet.db", "-o", "none", "pipe"], in: place.folder)
            while try await Self.taken(in: place) == 0 {}
            worker.terminate()
            #expect(await worker.end().status == 0)
        }
    }

    @Test func `two processes watch one folder, and what can't be read ends neither`() async throws
    {
        try await withPlace { place in
            let readings = try await Self.generate(devices: 2, in: place)
            let folder = place.file("inbox")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: folder.appendingPathComponent("0.jsonl").path,
                withDestinationPath: "/nowhere")
            let lines = readings.split(separator: 0x0A)
            for (number, part) in [lines[..<50], lines[50...]].enumerated() {
                try Data(part.joined(separator: [0x0A])).write(
                    to: folder.appendingPathComponent("\(number + 1).jsonl"))
            }
            let work = ["work", "--broker", "sqlite:fleet.db", "--watch", "inbox", "-o", "none"]
            let workers = try (0..<2).map { _ in try Tool.fleet.start(work, in: place.folder) }
            let ends = ["0.jsonl.failed", "1.jsonl.done", "2.jsonl.done"].map {
                folder.appendingPathComponent($0).path
            }
            // A dangling link exists for no one who follows it: its name is looked for instead.
            while Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
                != Set(ends.map { ($0 as NSString).lastPathComponent })
            {
                _ = try await place.godwit("stream", "list")
            }
            for worker in workers {
                worker.terminate()
                #expect(await worker.end().status == 0)
            }
        }
    }

    @Test func `wrong arguments say what to do`() async throws {
        try await withPlace { place in
            for arguments in [
                ["work", "--broker", "postgres://x"], ["work", "nowhere.jsonl"],
                ["work", "--watch", "nowhere"], ["work", "--next-visit", "soon"],
                ["report", "--as-of", "now", "--broker", "memory:"],
            ] {
                let outcome = try await Tool.fleet.run(
                    arguments + (arguments.contains("--broker") ? [] : ["--broker", "memory:"]),
                    in: place.folder)
                #expect(outcome.status != 0, "\(arguments)")
                #expect(outcome.err.contains("Error:"), "\(arguments) \(outcome)")
            }
        }
    }

    /// Three processes on one Redis, one of them killed: what comes out is what one process on its
    /// own finds, byte for byte (I7).
    @Test func `three processes and a kill give the forecasts of one, byte for byte`() async throws
    {
        try await withServer { server in
            try await withPlace { place in
                let readings = try await Self.generate(
                    devices: Self.devices, in: place, extras: true)
                let straight = try await Tool.fleet.run(
                    ["work", "--broker", "memory:", "-o", "jsonl"], input: readings,
                    in: place.folder)
                #expect(straight.status == 0, "\(straight.err)")
                try readings.write(to: place.file("readings.jsonl"))
                let work = ["work", "--broker", server.url, "-o", "none", "--follow"]
                let others = try (0..<2).map { _ in try Tool.fleet.start(work, in: place.folder) }
                let first = try Tool.fleet.start(
                    work + ["readings.jsonl"], in: place.folder)
                let total = readings.count { $0 == 0x0A }
                var wasKilled = false
                var handled = 0
                while handled < total {
                    handled = try await Self.handled(server.url)
                    if !wasKilled, handled > total / 2 {
                        await others[0].kill()
                        wasKilled = true
                    }
                }
                #expect(wasKilled)
                for process in [first, others[1]] {
                    process.terminate()
                    #expect(await process.end().status == 0)
                }
                let report = try await Tool.fleet.run(
                    ["report", "--broker", server.url, "-o", "jsonl"], in: place.folder)
                #expect(report.out == straight.out)
                let keys = try await Tool.godwit.run(
                    ["stream", "show", "print-fleet", "--broker", server.url, "-o", "json"])
                let counts = try keys.object()
                #expect(counts["handled"] as? Int == total)
                #expect(counts["pending"] as? Int == 0)
                #expect(counts["dead"] as? Int == 0)
            }
        }
    }

    private static func generate(
        devices: Int, in place: Place, extras: Bool = false
    ) async throws -> Data {
        let outcome = try await Tool.fleet.run(
            [
                "generate", "--devices", "\(devices)", "--days", "200", "--seed", "5", "--out",
                "generated.jsonl",
            ] + (extras ? ["--extras"] : []), in: place.folder)
        try #require(outcome.status == 0, "\(outcome)")
        return try Data(contentsOf: place.file("generated.jsonl"))
    }

    /// Readings that the fleet in this place has taken in.
    private static func taken(in place: Place) async throws -> Int {
        let outcome = try await Tool.godwit.run(
            ["stream", "list", "--broker", "sqlite:\(place.file("fleet.db").path)", "-o", "json"])
        guard outcome.status == 0 else { return 0 }
        return try outcome.array().first?["handled"] as? Int ?? 0
    }

    private static func handled(_ url: String) async throws -> Int {
        let outcome = try await Tool.godwit.run(
            ["stream", "list", "--broker", url, "-o", "json"])
        return try outcome.array().first?["handled"] as? Int ?? 0
    }
}
