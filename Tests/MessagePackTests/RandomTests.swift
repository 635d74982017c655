// SPDX-License-Identifier: Apache-2.0
import Foundation
import MessagePack
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite struct `Random input` {
    /// GODWIT_SEED repeats a run.
    static let seed =
        ProcessInfo.processInfo.environment["GODWIT_SEED"].flatMap(UInt64.init)
        ?? UInt64.random(in: 0...UInt64.max)

    struct Mixed: Codable, Equatable {
        var a: Int
        var b: String?
        var c: [Double]
        var d: [String: Int]
        var e: Date?
        var f: Data
        enum CodingKeys: Int, CodingKey { case a, b, c, d, e, f }
    }

    private func take(_ bytes: [UInt8]) throws(MessagePackError) {
        let decoder = MessagePackDecoder()
        _ = try? decoder.decode(Mixed.self, from: bytes)
        _ = try? decoder.decode([Mixed?].self, from: bytes)
        _ = try? decoder.decode([String: [Int]].self, from: bytes)
        _ = try? decoder.decode([UInt8].self, from: bytes)
        guard let value = try? MessagePackValue(decoding: bytes) else { return }
        let again = try value.encoded()
        #expect(again.count <= bytes.count)
        #expect((try? MessagePackValue(decoding: again)) == value)
    }

    @Test func `two hundred thousand random inputs trap nothing`() throws {
        print("seed \(Self.seed)")
        var random = SeededGenerator(state: Self.seed)
        for _ in 0..<100_000 {
            let length = Int.random(in: 0...48, using: &random)
            try take((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        // Near misses go deeper than noise: valid bytes with a few changed, cut or added.
        let seed = Mixed(
            a: 300, b: "text", c: [1.5, 2], d: ["x": 1, "y": -70_000],
            e: Date(timeIntervalSince1970: 1.5), f: Data([1, 2, 3]))
        let encodings = try [MessagePackEncoder.Keys.text, .integer].map {
            try MessagePackEncoder(keys: $0).encode(seed)
        }
        for round in 0..<120_000 {
            var bytes = encodings[round % 2]
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0: bytes.removeSubrange(at...)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                case 2: bytes.remove(at: at)
                default: bytes[at] = UInt8.random(in: 0...255, using: &random)
                }
            }
            try take(bytes)
        }
    }

    private func value(_ depth: Int, _ random: inout SeededGenerator) -> MessagePackValue {
        switch Int.random(in: 0..<(depth > 4 ? 9 : 11), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2:
            return .int(
                Int64(truncatingIfNeeded: random.next()) >> Int64.random(in: 0..<64, using: &random)
            )
        case 3: return .uint(random.next() >> UInt64.random(in: 0..<64, using: &random))
        case 4: return .float(Float(bitPattern: UInt32(truncatingIfNeeded: random.next())))
        case 5: return .double(Double(bitPattern: random.next()))
        case 6:
            let scalars = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                Unicode.Scalar(UInt32.random(in: 0..<0xd800, using: &random)) ?? "?"
            }
            return .string(String(String.UnicodeScalarView(scalars)))
        case 7:
            return .binary((0..<Int.random(in: 0..<40, using: &random)).map { UInt8($0) })
        case 8:
            let nanoseconds = UInt32.random(in: 0..<1_000_000_000, using: &random)
            let seconds =
                Int64(truncatingIfNeeded: random.next()) >> Int64.random(in: 0..<64, using: &random)
            return .moment(seconds, nanoseconds)
        case 9:
            return .array(
                (0..<Int.random(in: 0..<20, using: &random)).map { _ in value(depth + 1, &random) })
        default:
            var keys: Set<MessagePackValue> = []
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                keys.insert(value(depth + 4, &random))
            }
            return .map(keys.map { .init($0, value(depth + 1, &random)) })
        }
    }

    @Test func `random trees come back equal`() throws {
        var random = SeededGenerator(state: Self.seed ^ 1)
        for _ in 0..<2_000 {
            let tree = value(0, &random)
            let bytes = try tree.encoded()
            #expect(try MessagePackValue(decoding: bytes) == tree)
        }
    }
}
