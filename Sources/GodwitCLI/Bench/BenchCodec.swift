// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import MessagePack

/// `godwit bench codec`: MessagePack beside JSON on a struct of ten fields.
struct BenchCodec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec", abstract: "MessagePack beside JSON: encode and decode ten fields.")

    @Option(help: "How often each is done.") var rounds: Int = 100_000
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard rounds >= 1 else { throw ValidationError("--rounds is 1 or more, not \(rounds).") }
    }

    struct Reading: Codable, Equatable {
        var id = 4_711_234_567
        var device = "printer-0042"
        var site = "Roma, Via Appia 12"
        var pages = 182_734
        var toner = 0.4375
        var isOnline = true
        var model: String? = "LX-900"
        var readAt: Int64 = 1_767_225_600_123
        var trays = [120, 250, 0]
        var note = "level read by SNMP, second attempt"

        /// Numbers for ``MessagePackEncoder`` with integer keys; JSON and string keys use the names.
        enum CodingKeys: Int, CodingKey {
            case id, device, site, pages, toner, isOnline, model, readAt, trays, note
        }
    }

    struct Report: Row {
        static let schema = "godwit.bench.codec/1"
        static let columns: [Column<Report>] = [
            .int("rounds", "how often") { $0.rounds },
            .number("message_pack_us", "a round of MessagePack") { $0.messagePackUs },
            .number("json_us", "a round of JSON") { $0.jsonUs },
            .number("ratio", "times faster") { $0.ratio },
            .int("message_pack_bytes", "its length") { $0.messagePackBytes },
            .int("json_bytes", "its length") { $0.jsonBytes },
            .number("bytes_percent", "of JSON") { $0.bytesPercent },
            .int("integer_key_bytes", "with integer keys") { $0.integerKeyBytes },
            .number("integer_key_percent", "of JSON") { $0.integerKeyPercent },
            .text("machine", "where") { $0.machine },
        ]
        let rounds: Int
        let messagePackUs: Double
        let jsonUs: Double
        let ratio: Double
        let messagePackBytes: Int
        let jsonBytes: Int
        let bytesPercent: Double
        let integerKeyBytes: Int
        let integerKeyPercent: Double
        let machine = Machine.line
    }

    func run() async throws {
        let value = Reading()
        let encoder = MessagePackEncoder()
        let decoder = MessagePackDecoder()
        let jsonEncoder = JSONEncoder()
        let jsonDecoder = JSONDecoder()
        let packed = try encoder.encode(value)
        let json = try jsonEncoder.encode(value)
        let numbered = try MessagePackEncoder(keys: .integer).encode(value)
        guard try decoder.decode(Reading.self, from: numbered) == value else {
            throw Failure(.software, "integer keys do not give back what they were given")
        }
        var best = (Double.infinity, Double.infinity)
        // Why the best of five: what else the machine does only ever adds.
        for _ in 0..<5 {
            let count = max(1, rounds / 5)
            best.0 = min(
                best.0,
                try time(count) {
                    try decoder.decode(Reading.self, from: encoder.encode(value)) == value
                })
            best.1 = min(
                best.1,
                try time(count) {
                    try jsonDecoder.decode(Reading.self, from: jsonEncoder.encode(value)) == value
                })
        }
        try store.output(Report.self).one(
            Report(
                rounds: rounds, messagePackUs: best.0.rounded(to: 3), jsonUs: best.1.rounded(to: 3),
                ratio: (best.1 / best.0).rounded(to: 2), messagePackBytes: packed.count,
                jsonBytes: json.count,
                bytesPercent: (100 * Double(packed.count) / Double(json.count)).rounded(to: 1),
                integerKeyBytes: numbered.count,
                integerKeyPercent: (100 * Double(numbered.count) / Double(json.count)).rounded(
                    to: 1)))
    }

    /// Microseconds per round.
    private func time(_ count: Int, _ body: () throws -> Bool) throws -> Double {
        let start = Stopwatch.now()
        for _ in 0..<count {
            guard try body() else {
                throw Failure(.software, "a codec does not give back what it was given")
            }
        }
        return Stopwatch.seconds(since: start) * 1e6 / Double(count)
    }
}
