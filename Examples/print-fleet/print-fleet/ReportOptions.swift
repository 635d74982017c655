// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitStreams
import PrintFleet

/// What is told of the fleet, and where.
struct ReportOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, jsonl, none }

    @Option(
        name: .shortAndLong,
        help: "text: a table by days left; jsonl: every forecast as a JSON line; none.")
    var output = Format.text
    @Option(help: "Rows of the table.") var limit = 50
    @Option(help: "A page with a chart for each of the most urgent devices goes into this file.")
    var html: String?
    @Option(help: "Charts on the page.") var charts = 200
    @Option(
        help: "Judge who is silent as of this moment (RFC 3339, UTC), not as of the newest reading."
    )
    var asOf: String?

    /// Reads the fleet from its stream and prints it.
    func print(_ stream: FleetStream) async throws {
        var asOf: Instant?
        if let text = self.asOf {
            guard let instant = Instant(text) else {
                throw Wrong(what: "--as-of is no moment. Write it as 2026-12-01T08:00:00.000Z.")
            }
            asOf = instant
        }
        if output == .none, html == nil { return }
        let store = FleetStore(stream)
        let fleet = try await store.states()
        for gap in fleet.gaps { FileHandle.standardError.write(Data("print-fleet: \(gap)\n".utf8)) }
        var report = FleetReport()
        report.gaps = fleet.gaps
        for (name, state) in fleet.states { report.add(name, state, window: []) }
        let byName = Dictionary(fleet.states) { first, _ in first }
        report.judgeStale(asOf: asOf) { byName[$0] }
        switch output {
        case .none: break
        case .text: FileHandle.standardOutput.write(Data(report.table(limit: limit).utf8))
        case .jsonl:
            var json = JSONWriter()
            for forecast in report.forecasts { forecast.write(to: &json) }
            FileHandle.standardOutput.write(Data(json.bytes))
        }
        guard let html else { return }
        var urgent: [String] = []
        for row in report.rows where urgent.count < charts && !urgent.contains(row.device) {
            urgent.append(row.device)
        }
        for (name, window) in try await store.windows(of: urgent) {
            if let state = byName[name] { report.add(name, state, window: window) }
        }
        report.judgeStale(asOf: asOf) { byName[$0] }
        do {
            try Data(report.html(limit: charts).utf8).write(to: URL(fileURLWithPath: html))
        } catch {
            throw Wrong(what: "can't write \(html): \(error.localizedDescription)")
        }
    }
}

/// Reads devices out of the stream, a bounded part at a time.
struct FleetStore {
    private static let part = 64
    /// What the inspector lists of a stream at the most (I10).
    private static let most = 100_000
    private static let named = 10

    private let stream: FleetStream

    init(_ stream: FleetStream) { self.stream = stream }

    /// Devices with their states, by name, and what is missing among them and why.
    func states() async throws -> (states: [(String, DeviceState)], gaps: [String]) {
        let inspector = stream.broker.streamInspector
        let counts = try await inspector.counts(ofStream: stream.name)
        let lanes = try await inspector.lanes(of: stream.name, by: .activity, limit: Self.most)
        var gaps: [String] = []
        let keys = counts.idle + counts.ready + counts.leased + counts.parked + counts.blocked
        if lanes.count >= Self.most, keys > lanes.count {
            gaps.append(
                "only \(lanes.count) of \(keys) devices are in this report, as many as a store lists"
            )
        }
        let names = lanes.filter { $0.position > 0 }.map(\.key).sorted()
        var states: [(String, DeviceState)] = []
        var unreadable: [String] = []
        for (name, memory) in try await memories(of: names, window: 0) where !memory.state.isEmpty {
            do { states.append((name, try DeviceState(packed: memory.state))) } catch {
                unreadable.append("\(name): its state can't be read: \(error)")
            }
        }
        gaps += unreadable.prefix(Self.named)
        if unreadable.count > Self.named {
            gaps.append("\(unreadable.count - Self.named) more devices whose state can't be read")
        }
        return (states, gaps)
    }

    /// The kept readings of some devices, oldest first, without those that can't be read.
    func windows(of names: [String]) async throws -> [(String, [Reading])] {
        try await memories(of: names, window: stream.window - 1).map { name, memory in
            (name, memory.window.compactMap { try? Reading(packed: $0.body) })
        }
    }

    private func memories(of names: [String], window: Int) async throws -> [(String, LaneMemory)] {
        var all: [(String, LaneMemory)] = []
        for start in stride(from: 0, to: names.count, by: Self.part) {
            let part = Array(names[start..<min(names.count, start + Self.part)])
            let memories = try await stream.broker.memories(
                of: part, window: window, in: stream.name)
            all += zip(part, memories)
        }
        return all
    }
}

/// Prints the fleet as the store holds it now; works nothing.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Prints the fleet as it stands, without working.")

    @Option(help: "memory:, sqlite:PATH, redis://… or redis+unix://…") var broker =
        "sqlite:print-fleet.db"
    @Option(help: "Readings of a device that are kept.") var window = 100
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let broker = try await Fleet.open(broker)
        do {
            try await report.print(Fleet.readings(on: broker, window: window))
            await broker.shutdown()
        } catch {
            await broker.shutdown()
            throw error
        }
    }
}
