// SPDX-License-Identifier: Apache-2.0
import Foundation
import MessagePack
import Testing

func roundTrip<T: Codable & Equatable>(
    _ value: T, _ location: SourceLocation = #_sourceLocation
) throws {
    for keys in [MessagePackEncoder.Keys.text, .integer] {
        let bytes = try MessagePackEncoder(keys: keys).encode(value)
        let back = try MessagePackDecoder().decode(T.self, from: bytes)
        #expect(back == value, sourceLocation: location)
        // What Codable wrote is one valid value, in its smallest form.
        let tree = try MessagePackValue(decoding: bytes)
        #expect(try tree.encoded() == bytes, sourceLocation: location)
    }
}

struct Record: Codable, Equatable {
    var id = 7
    var name = "Ada"
    var score = 1.5
    var active = true
    var tags = [1, 2, 300]
    var when = Date(timeIntervalSince1970: 1_700_000_000)
    var raw = Data([0, 255])
    var note: String?
}

struct Numbered: Codable, Equatable {
    var id = 7
    var name = "Ada"
    var raw: [UInt8] = [1]

    enum CodingKeys: Int, CodingKey { case id = 1, name, raw }
}

@Suite struct `Codable types` {
    let encoder = MessagePackEncoder()
    let decoder = MessagePackDecoder()

    @Test func `a struct is written as Python writes the same map`() throws {
        let bytes = try encoder.encode(Record())
        #expect(
            bytes.hex == "87a2696407a46e616d65a3416461a573636f7265cb3ff8000000000000a6616374697665"
                + "c3a474616773930102cd012ca47768656ed6ff6553f100a3726177c40200ff")
        try roundTrip(Record())
        try roundTrip(Record(note: "x"))
    }

    @Test func `integer keys are an option of the encoder and no concern of the decoder`() throws {
        let short = try MessagePackEncoder(keys: .integer).encode(Numbered())
        #expect(short.hex == "83010702a341646103c40101")
        let long = try encoder.encode(Numbered())
        #expect(long.hex == "83a2696407a46e616d65a3416461a3726177c40101")
        #expect(try decoder.decode(Numbered.self, from: short) == Numbered())
        #expect(try decoder.decode(Numbered.self, from: long) == Numbered())
        let mixed = [UInt8](hex: "83a3726177c4010102a341646101cd0007")
        #expect(try decoder.decode(Numbered.self, from: mixed) == Numbered())
    }

    @Test func `every width of integer and float comes back at its limits`() throws {
        try roundTrip([Int.min, -129, -128, -33, -32, -1, 0, 127, 128, 255, 256, 65536, .max])
        try roundTrip([Int8.min, -1, 0, .max])
        try roundTrip([Int16.min, -1, 0, .max])
        try roundTrip([Int32.min, -1, 0, .max])
        try roundTrip([Int64.min, -1, 0, .max])
        try roundTrip([UInt.min, 1 << 31, 1 << 63, .max])
        try roundTrip([0, UInt8(200)] as ContiguousArray)
        try roundTrip([UInt16.min, .max])
        try roundTrip([UInt32.min, .max])
        try roundTrip([UInt64.min, .max])
        try roundTrip([Float.leastNonzeroMagnitude, 0.1, .greatestFiniteMagnitude, -.infinity])
        try roundTrip([Double.leastNonzeroMagnitude, 0.1, -.greatestFiniteMagnitude, .infinity])
        try roundTrip([true, false])
        try roundTrip(["", "é", "日本語", "👩‍👩‍👧", "a\u{0}b", String(repeating: "x", count: 70_000)])
        #expect(try decoder.decode(Double.self, from: encoder.encode(Double.nan)).isNaN)
    }

    @Test func `a scalar can be the whole message`() throws {
        try roundTrip(5)
        try roundTrip("five")
        try roundTrip(Int?.none)
        try roundTrip(Int?.some(5))
        try roundTrip([UInt8]([1, 2, 3]))
        try roundTrip(Data([1, 2, 3]))
        try roundTrip(URL(string: "https://example.org/a?b=c"))
        try roundTrip(UUID())
    }

    @Test func `floats may come as integers and integers never as floats`() throws {
        #expect(try decoder.decode(Double.self, from: [5]) == 5)
        #expect(try decoder.decode(Float.self, from: [UInt8](hex: "cb3fb999999999999a")) == 0.1)
        #expect(throws: MessagePackError.self) {
            try decoder.decode(Int.self, from: encoder.encode(1.0))
        }
        #expect(throws: MessagePackError.self) {
            try decoder.decode(Double.self, from: encoder.encode(Int.max))
        }
        #expect(throws: MessagePackError.self) {
            try decoder.decode(Float.self, from: encoder.encode(1e300))
        }
    }

    @Test(arguments: [
        -62_135_596_800.0, -1.5, -1, -0.000_000_001, 0, 0.5, 4_294_967_295, 4_294_967_296,
        1_790_000_000.123_456, 17_179_869_183.75, 17_179_869_184, 253_402_300_799.5, 1e15,
    ])
    func `a date is a timestamp, before 1970 and far ahead`(_ seconds: Double) throws {
        let date = Date(timeIntervalSince1970: seconds)
        let bytes = try encoder.encode(date)
        #expect([0xd6, 0xd7, 0xc7].contains(bytes[0]))
        let back = try decoder.decode(Date.self, from: bytes)
        #expect(back == date)
    }

    @Test func `distant dates come back and infinite ones are refused`() throws {
        try roundTrip([Date.distantPast, .distantFuture])
        #expect(throws: MessagePackError.self) {
            try encoder.encode(Date(timeIntervalSince1970: .infinity))
        }
        #expect(throws: MessagePackError.self) {
            try encoder.encode(Date(timeIntervalSince1970: 1e300))
        }
    }

    @Test func `bytes are bin and may be read from an array of numbers too`() throws {
        #expect(try encoder.encode(Data([1, 2])).hex == "c4020102")
        #expect(try encoder.encode([1, 2] as [UInt8]).hex == "c4020102")
        #expect(try decoder.decode([UInt8].self, from: [0x92, 1, 2]) == [1, 2])
        #expect(try decoder.decode(Data.self, from: [0x92, 1, 2]) == Data([1, 2]))
    }

    struct Options: Codable, Equatable {
        var a: Int?
        var b: [String?]?
        var c: Date?
        var d: Inner?
        struct Inner: Codable, Equatable { var x: Bool? }
    }

    @Test func `nil is left out and read from a missing key as from a nil`() throws {
        #expect(try encoder.encode(Options()) == [0x80])
        try roundTrip(Options())
        try roundTrip(Options(a: 1, b: ["x", nil], c: .distantPast, d: .init(x: true)))
        let nils = [UInt8](hex: "84a161c0a162c0a163c0a164c0")
        #expect(try decoder.decode(Options.self, from: nils) == Options())
    }

    @Test func `entries may come in any order, with strangers between them`() throws {
        let tree = try MessagePackValue(decoding: encoder.encode(Record(note: "n")))
        guard case .map(let entries) = tree else {
            throw MessagePackError.reservedByte(.init(offset: 0))
        }
        for shift in entries.indices {
            var turned = Array(entries[shift...] + entries[..<shift])
            if shift % 2 == 0 { turned.reverse() }
            turned.insert(.init("stranger", [1, [2], ["x": 3.5]]), at: shift)
            let bytes = try MessagePackValue.map(turned).encoded()
            #expect(try decoder.decode(Record.self, from: bytes) == Record(note: "n"))
        }
    }

    enum Shape: Codable, Equatable {
        case point
        case circle(radius: Double)
        case line(Int, Int, name: String?)
        indirect case pair(Shape, Shape)
    }

    enum Colour: String, Codable { case red, green }
    enum Level: Int, Codable { case low = 1, high }

    @Test func `enums come back, raw and with associated values`() throws {
        try roundTrip([Colour.red, .green])
        try roundTrip(Level.high)
        try roundTrip([
            Shape.point, .circle(radius: 2), .line(1, 2, name: nil), .line(3, 4, name: "n"),
            .pair(.point, .pair(.circle(radius: 1), .point)),
        ])
    }

    @Test func `dictionaries come back with string, integer and other keys`() throws {
        try roundTrip(["a": 1, "01": 2, "+3": 3, "-0": 4, "4": 5])
        try roundTrip([1: "a", -7: "b", 300: "c"])
        try roundTrip([Level.low: 1, .high: 2])
        try roundTrip(["k": ["n": [1.5, nil]]])
        let python = [UInt8](hex: "8201a161ff a162".replacing(" ", with: ""))
        #expect(try decoder.decode([Int: String].self, from: python) == [1: "a", -1: "b"])
        #expect(try decoder.decode([String: String].self, from: python) == ["1": "a", "-1": "b"])
    }

    @Test func `values of the wire travel inside types`() throws {
        struct Envelope: Codable, Equatable {
            var any: MessagePackValue
            var ext: MessagePackExtension
            var moment: MessagePackTimestamp?
        }
        try roundTrip(
            Envelope(
                any: .map([.init(.binary([1]), [nil, 1.5])]), ext: .init(type: -5, bytes: [1, 2]),
                moment: MessagePackTimestamp(seconds: -5, nanoseconds: 1)))
        #expect(throws: (any Error).self) { try JSONEncoder().encode(MessagePackValue.null) }
    }

    @Test func `slices, raw memory and appending work like whole arrays`() throws {
        var bytes: [UInt8] = [0xc1]
        try encoder.encode(Record(), into: &bytes)
        #expect(try decoder.decode(Record.self, from: bytes[1...]) == Record())
        let raw = try bytes[1...].withUnsafeBytes { try decoder.decode(Record.self, from: $0) }
        #expect(raw == Record())
        var writer = MessagePackWriter()
        writer.writeArrayHeader(1)
        try encoder.encode(Record(), into: &writer)
        #expect(try decoder.decode([Record].self, from: writer.bytes) == [Record()])
    }
}
