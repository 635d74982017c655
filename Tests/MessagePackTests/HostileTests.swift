// SPDX-License-Identifier: Apache-2.0
import Foundation
import MessagePack
import Testing

/// The name of the case of an error, for tables.
func name(_ error: MessagePackError) -> String {
    String(describing: Mirror(reflecting: error).children.first?.label ?? "?")
}

func failure<R>(_ body: () throws(MessagePackError) -> R) -> MessagePackError? {
    do throws(MessagePackError) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

@Suite struct `Hostile input` {
    static let broken: [(String, String, Int)] = [
        ("", "truncated", 0), ("c1", "reservedByte", 0), ("92c1c0", "reservedByte", 1),
        ("c0c0", "trailingBytes", 1), ("9101ff", "trailingBytes", 2),
        ("cc", "truncated", 0), ("cd01", "truncated", 0), ("ce010203", "truncated", 0),
        ("cf01020304050607", "truncated", 0), ("ca000000", "truncated", 0),
        ("cb00", "truncated", 0),
        ("a161a2", "trailingBytes", 2), ("a261", "truncated", 0), ("d9", "truncated", 0),
        ("d90561", "truncated", 0), ("da00", "truncated", 0), ("dbffffffff61", "truncated", 0),
        ("c4", "truncated", 0), ("c40100ff", "trailingBytes", 3), ("c6ffffffff00", "truncated", 0),
        ("ddffffffff00", "truncated", 0), ("dfffffffff00", "truncated", 0),
        ("dcffff00", "truncated", 0), ("91ddffffffff00", "truncated", 1),
        ("9301", "truncated", 0), ("92a163", "truncated", 3), ("81a16b", "truncated", 3),
        ("c9ffffffff0500", "truncated", 0), ("c70a0500", "truncated", 0),
        ("d8050102", "truncated", 0),
        ("d4", "truncated", 0), ("d405", "truncated", 0), ("c7", "truncated", 0),
        ("a2c328", "invalidText", 0), ("a1ff", "invalidText", 0), ("a3eda080", "invalidText", 0),
        ("81a2c32801", "invalidText", 1), ("91a2c080", "invalidText", 1),
        ("82a16101a16102", "duplicateKey", 4), ("82010101ff", "duplicateKey", 3),
        ("8201c0d001c0", "duplicateKey", 3), ("82c0c0c0c0", "duplicateKey", 3),
        ("82a16101d9016102", "duplicateKey", 4),
        ("d5ff0000", "invalidTimestamp", 0),
        ("c70cff3b9aca000000000000000000", "invalidTimestamp", 0),
        ("d7ffffffffff00000000", "invalidTimestamp", 0),
    ]

    @Test(arguments: broken)
    func `broken bytes give a typed error at their offset`(
        _ hex: String, _ expected: String, _ offset: Int
    ) throws {
        let bytes = [UInt8](hex: hex)
        let byValue = failure { () throws(MessagePackError) in
            try MessagePackValue(decoding: bytes)
        }
        #expect(byValue.map(name) == expected)
        #expect(byValue?.place.offset == offset)
        let byCodable = failure { () throws(MessagePackError) in
            try MessagePackDecoder().decode(MessagePackValue.self, from: bytes)
        }
        #expect(byCodable.map(name) == expected)
        #expect(byCodable?.place.offset == offset)
    }

    @Test(arguments: [0x91, 0x81] as [UInt8])
    func `sixty-four levels are read and sixty-five refused`(_ opener: UInt8) throws {
        func nested(_ levels: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            for _ in 0..<levels { bytes += opener == 0x81 ? [opener, 0xa1, 0x61] : [opener] }
            return bytes + [0xc0]
        }
        let deepest = try MessagePackValue(decoding: nested(64))
        #expect(try deepest.encoded() == nested(64))
        for levels in [65, 66, 1000, 300_000] {
            let bytes = nested(levels)
            let error = failure { () throws(MessagePackError) in
                try MessagePackValue(decoding: bytes)
            }
            #expect(error.map(name) == "tooDeep")
            #expect(error?.place.offset == (opener == 0x81 ? 64 * 3 : 64))
            let byCodable = failure { () throws(MessagePackError) in
                try MessagePackDecoder().decode(Chain.self, from: bytes)
            }
            #expect(byCodable.map(name) == "tooDeep")
        }
    }

    /// A list of any length, as one map inside the other.
    final class Chain: Codable {
        var a: Chain?
        init(_ levels: Int) { a = levels > 1 ? Chain(levels - 1) : nil }
    }

    @Test func `the encoder stops at the depth that the decoder takes back`() throws {
        let bytes = try MessagePackEncoder().encode(Chain(64))
        _ = try MessagePackDecoder().decode(Chain.self, from: bytes)
        let chain = failure { () throws(MessagePackError) in
            try MessagePackEncoder().encode(Chain(65))
        }
        #expect(chain.map(name) == "tooDeep")
        let ring = Chain(1)
        ring.a = ring
        let endless = failure { () throws(MessagePackError) in try MessagePackEncoder().encode(ring)
        }
        #expect(endless.map(name) == "tooDeep")
        ring.a = nil
        var value = MessagePackValue.null
        for _ in 0..<65 { value = [value] }
        #expect(
            failure { () throws(MessagePackError) in try value.encoded() }.map(name) == "tooDeep")
    }

    struct Order: Codable, Equatable {
        var id: Int8
        var lines: [Line]
        var by: String?
        struct Line: Codable, Equatable {
            var sku: String
            var when: Date
            var counts: [Int]
        }
    }

    @Test func `errors of Codable name the way to the value`() throws {
        let good = Order(
            id: 1,
            lines: [
                .init(sku: "a", when: .distantPast, counts: [1]),
                .init(sku: "b", when: .distantFuture, counts: [1, 2]),
            ])
        let tree = try MessagePackValue(decoding: MessagePackEncoder().encode(good))

        func place(_ change: (inout MessagePackValue) -> Void) throws -> (String, String) {
            var tree = tree
            change(&tree)
            let bytes = try tree.encoded()
            let error = failure { () throws(MessagePackError) in
                try MessagePackDecoder().decode(Order.self, from: bytes)
            }
            guard let error else { return ("none", "") }
            #expect(error.place.offset < bytes.count)
            return (name(error), "\(error)")
        }

        var (kind, text) = try place { $0.put(["id"], 300) }
        #expect(kind == "outOfRange" && text.contains("byte 4 (id)"))
        (kind, text) = try place { $0.put(["lines", 1, "sku"], 5) }
        #expect(kind == "mismatch" && text.contains("(lines[1].sku)"))
        (kind, text) = try place { $0.put(["lines", 1, "counts", 1], "x") }
        #expect(kind == "mismatch" && text.contains("(lines[1].counts[1])"))
        (kind, text) = try place { $0.put(["lines", 0, "when"], 1.5) }
        #expect(kind == "mismatch" && text.contains("(lines[0].when)"))
        (kind, text) = try place { $0.put(["lines", 0, "sku"], nil) }
        #expect(kind == "missingValue" && text.contains("(lines[0].sku)"))
        (kind, text) = try place { $0.put(["lines", 0], ["sku": "a", "counts": []]) }
        #expect(kind == "missingKey" && text.contains("\"when\"") && text.contains("(lines[0])"))
        (kind, text) = try place { $0.put(["lines"], ["x": 1]) }
        #expect(kind == "mismatch" && text.contains("(lines)"))
        (kind, text) = try place { $0.put(["lines", 0], 7) }
        #expect(kind == "mismatch" && text.contains("(lines[0])"))
        (kind, text) = try place { $0.put(["lines", 1], .map([.init(nil, 1)])) }
        #expect(kind == "unsupportedKey" && text.contains("(lines[1])"))
        (kind, text) = try place { $0.put(["by"], 7) }
        #expect(kind == "none" || text.contains("(by)"))
    }

    @Test func `what an init throws arrives with its place`() throws {
        struct Fussy: Codable {
            let value: Int
            enum CodingKeys: CodingKey { case value }
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                value = try container.decode(Int.self, forKey: .value)
                if value == 1 {
                    throw DecodingError.dataCorruptedError(
                        forKey: .value, in: container, debugDescription: "one")
                }
                if value == 2 { throw CancellationError() }
            }
        }
        let one = failure { () throws(MessagePackError) in
            try MessagePackDecoder().decode([Fussy].self, from: [UInt8](hex: "9181a576616c756501"))
        }
        guard case .corrupt(let place, "one") = one else {
            throw one ?? .reservedByte(.init(offset: 0))
        }
        #expect(place.path == [.index(0), .key("value")])
        let two = failure { () throws(MessagePackError) in
            try MessagePackDecoder().decode([Fussy].self, from: [UInt8](hex: "9181a576616c756502"))
        }
        guard case .refused(let place, let error) = two else {
            throw two ?? .reservedByte(.init(offset: 0))
        }
        #expect(place.path == [.index(0)] && place.offset == 1 && error is CancellationError)
    }

    @Test(arguments: [2, 20, 33, 5000])
    func `a repeated key is refused in a map of any size, asked for or not`(_ n: Int) throws {
        struct One: Codable { var k0: Int }
        func map(_ names: [String]) throws -> [UInt8] {
            try MessagePackValue.map(names.map { .init(.string($0), 1) }).encoded()
        }
        let names = (0..<n).map { "k\($0)" }
        _ = try MessagePackDecoder().decode(One.self, from: map(names))
        _ = try MessagePackDecoder().decode([String: Int].self, from: map(names))
        for twin in Set([0, 1, n / 2, n - 1]) {
            let bytes = try map(names + [names[twin]])
            for error in [
                failure { () throws(MessagePackError) in
                    _ = try MessagePackDecoder().decode(One.self, from: bytes)
                },
                failure { () throws(MessagePackError) in
                    _ = try MessagePackDecoder().decode([String: Int].self, from: bytes)
                },
                failure { () throws(MessagePackError) in _ = try MessagePackValue(decoding: bytes)
                },
            ] {
                guard case .duplicateKey(let place, let key)? = error else {
                    throw error ?? .reservedByte(.init(offset: 0))
                }
                #expect(key.contains(names[twin]))
                #expect(place.offset == bytes.count - names[twin].utf8.count - 2)
            }
        }
    }

    @Test func `a number and its digits are one key to Codable`() throws {
        let bytes = [UInt8](hex: "8201a16101a131a162").dropLast(0)
        let both = [UInt8](hex: "8201a161a131a162")
        #expect(bytes.count > both.count)
        let error = failure { () throws(MessagePackError) in
            try MessagePackDecoder().decode([Int: String].self, from: both)
        }
        #expect(error.map(name) == "duplicateKey")
    }

    /// Keys of equal length that differ only in the middle: the cheap comparison sees no difference.
    @Test(.timeLimit(.minutes(1)))
    func `many keys that look alike cost no more than sorting them`() throws {
        let entries = (0..<50_000).map { index in
            let digits = String(index)
            let middle = String(repeating: "0", count: 8 - digits.count) + digits
            return MessagePackValue.Entry(.string("aaaaaaaa\(middle)bbbbbbbb"), 1)
        }
        let bytes = try MessagePackValue.map(entries).encoded()
        #expect(try MessagePackDecoder().decode([String: Int].self, from: bytes).count == 50_000)
        #expect(try MessagePackValue(decoding: bytes) == .map(entries))
    }
}

extension MessagePackValue {
    enum Step: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        case key(String), index(Int)
        init(stringLiteral value: String) { self = .key(value) }
        init(integerLiteral value: Int) { self = .index(value) }
    }

    /// Puts `value` at the end of a path that exists.
    mutating func put(_ path: [Step], _ value: MessagePackValue) {
        guard let first = path.first else {
            self = value
            return
        }
        let rest = Array(path.dropFirst())
        switch (self, first) {
        case (.map(var entries), .key(let key)):
            if let at = entries.firstIndex(where: { $0.key == .string(key) }) {
                entries[at].value.put(rest, value)
            } else {
                entries.append(.init(.string(key), value))
            }
            self = .map(entries)
        case (.array(var values), .index(let index)):
            values[index].put(rest, value)
            self = .array(values)
        default: break
        }
    }
}
