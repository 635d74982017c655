// SPDX-License-Identifier: Apache-2.0
import MessagePack
import Testing

/// Bytes written by Python's msgpack 1.2.1 (`packb(value)`), for values that both can say.
@Suite struct `Fixtures` {
    static let values: [(MessagePackValue, String)] = [
        (.null, "c0"),
        (true, "c3"),
        (false, "c2"),
        (.int(0), "00"),
        (.int(1), "01"),
        (.int(127), "7f"),
        (.int(128), "cc80"),
        (.int(255), "ccff"),
        (.int(256), "cd0100"),
        (.int(65535), "cdffff"),
        (.int(65536), "ce00010000"),
        (.int(4294967295), "ceffffffff"),
        (.int(4294967296), "cf0000000100000000"),
        (.int(9223372036854775807), "cf7fffffffffffffff"),
        (.int(-1), "ff"),
        (.int(-32), "e0"),
        (.int(-33), "d0df"),
        (.int(-128), "d080"),
        (.int(-129), "d1ff7f"),
        (.int(-32768), "d18000"),
        (.int(-32769), "d2ffff7fff"),
        (.int(-2147483648), "d280000000"),
        (.int(-2147483649), "d3ffffffff7fffffff"),
        (.int(.min), "d38000000000000000"),
        (.uint(.max), "cfffffffffffffffff"),
        (.uint(9223372036854775808), "cf8000000000000000"),
        (.double(0.0), "cb0000000000000000"),
        (.double(-0.0), "cb8000000000000000"),
        (.double(1.5), "cb3ff8000000000000"),
        (.double(3.141592653589793), "cb400921fb54442d18"),
        (.double(1e+300), "cb7e37e43c8800759c"),
        (.float(1.5), "ca3fc00000"),
        ("", "a0"),
        ("héllo", "a668c3a96c6c6f"),
        (.binary([]), "c400"),
        (.binary([1, 2, 255]), "c4030102ff"),
        ([], "90"),
        ([1, [2, .null], "x"], "93019202c0a178"),
        ([:], "80"),
        (["a": 1, 2: [true]], "82a161010291c3"),
        (.extension(.init(type: 5, bytes: [])), "c70005"),
        (.extension(.init(type: 5, bytes: [7])), "d40507"),
        (.extension(.init(type: 5, bytes: [7, 7])), "d5050707"),
        (.extension(.init(type: 5, bytes: [7, 7, 7])), "c70305070707"),
        (.extension(.init(type: 5, bytes: [7, 7, 7, 7])), "d60507070707"),
        (.extension(.init(type: 5, bytes: [7, 7, 7, 7, 7])), "c705050707070707"),
        (.extension(.init(type: 5, bytes: [7, 7, 7, 7, 7, 7, 7, 7])), "d7050707070707070707"),
        (
            .extension(.init(type: 5, bytes: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])),
            "d80507070707070707070707070707070707"
        ),
        (
            .extension(.init(type: 5, bytes: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])),
            "c711050707070707070707070707070707070707"
        ),
        (.extension(.init(type: 127, bytes: [1])), "d47f01"),
        (.moment(0, 0), "d6ff00000000"),
        (.moment(4294967295, 0), "d6ffffffffff"),
        (.moment(4294967296, 0), "d7ff0000000100000000"),
        (.moment(0, 1), "d7ff0000000400000000"),
        (.moment(1790000000, 123456789), "d7ff1d6f34546ab13b80"),
        (.moment(17179869183, 999999999), "d7ffee6b27ffffffffff"),
        (.moment(17179869184, 0), "c70cff000000000000000400000000"),
        (.moment(-1, 0), "c70cff00000000ffffffffffffffff"),
        (.moment(-1, 500000000), "c70cff1dcd6500ffffffffffffffff"),
        (.moment(253402300799, 999999999), "c70cff3b9ac9ff0000003afff4417f"),
    ]

    @Test(arguments: values)
    func `a value is written as Python writes it and read back equal`(
        _ value: MessagePackValue, _ hex: String
    ) throws {
        #expect(try value.encoded().hex == hex)
        #expect(try MessagePackValue(decoding: [UInt8](hex: hex)) == value)
    }

    /// Count, first bytes of Python's answer, its length; from 15 to 65,536.
    static let strings = [
        (15, "af6161", 16), (16, "b06161", 17), (31, "bf6161", 32), (32, "d92061", 34),
        (255, "d9ff61", 257), (256, "da0100", 259), (65535, "daffff", 65538),
        (65536, "db00010000", 65541),
    ]
    static let binaries = [
        (15, "c40f61", 17), (32, "c42061", 34), (255, "c4ff61", 257), (256, "c50100", 259),
        (65535, "c5ffff", 65538), (65536, "c600010000", 65541),
    ]
    static let arrays = [
        (15, "9fc0", 16), (16, "dc0010c0", 19), (255, "dc00ffc0", 258), (256, "dc0100c0", 259),
        (65535, "dcffffc0", 65538), (65536, "dd00010000c0", 65541),
    ]
    static let maps = [
        (15, "8f00c001c0", 31), (16, "de001000c0", 35), (255, "de00ff00c0", 640),
        (256, "de010000c0", 643), (65535, "deffff00c0", 261_759),
        (65536, "df0001000000c0", 261_765),
    ]
    static let extensions = [
        (15, "c70f0961", 18), (16, "d80961", 18), (31, "c71f0961", 34), (255, "c7ff0961", 258),
        (256, "c801000961", 260), (65535, "c8ffff0961", 65539), (65536, "c90001000009", 65542),
    ]

    private func check(_ value: MessagePackValue, _ prefix: String, _ length: Int) throws {
        let bytes = try value.encoded()
        #expect(bytes.hex.hasPrefix(prefix))
        #expect(bytes.count == length)
        #expect(try MessagePackValue(decoding: bytes) == value)
        // Through Codable, whose headers are widened afterwards, the bytes are the same.
        #expect(try MessagePackEncoder().encode(value) == bytes)
        #expect(try MessagePackDecoder().decode(MessagePackValue.self, from: bytes) == value)
    }

    @Test(arguments: strings)
    func `a string has the smallest header`(_ n: Int, _ prefix: String, _ length: Int) throws {
        try check(.string(String(repeating: "a", count: n)), prefix, length)
    }

    @Test(arguments: binaries)
    func `binary has the smallest header`(_ n: Int, _ prefix: String, _ length: Int) throws {
        try check(.binary([UInt8](repeating: 0x61, count: n)), prefix, length)
    }

    @Test(arguments: arrays)
    func `an array has the smallest header`(_ n: Int, _ prefix: String, _ length: Int) throws {
        try check(.array(Array(repeating: .null, count: n)), prefix, length)
        let nils = [Int?](repeating: nil, count: n)
        let bytes = try MessagePackEncoder().encode(nils)
        #expect(bytes.hex.hasPrefix(prefix))
        #expect(bytes.count == length)
        #expect(try MessagePackDecoder().decode([Int?].self, from: bytes) == nils)
    }

    @Test(arguments: maps)
    func `a map has the smallest header`(_ n: Int, _ prefix: String, _ length: Int) throws {
        try check(.map((0..<n).map { .init(.int(Int64($0)), .null) }), prefix, length)
        let numbers = Dictionary(uniqueKeysWithValues: (0..<n).map { ($0, true) })
        let bytes = try MessagePackEncoder(keys: .integer).encode(numbers)
        #expect(bytes.count == length)
        #expect(bytes.hex.prefix(2) == prefix.prefix(2))
        #expect(try MessagePackDecoder().decode([Int: Bool].self, from: bytes) == numbers)
    }

    @Test(arguments: extensions)
    func `an extension has the smallest header`(_ n: Int, _ prefix: String, _ length: Int) throws {
        try check(
            .extension(.init(type: 9, bytes: [UInt8](repeating: 0x61, count: n))), prefix, length)
    }
}

extension [UInt8] {
    var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    init(hex: String) {
        self = []
        var digits = hex[...]
        while let byte = UInt8(digits.prefix(2), radix: 16) {
            append(byte)
            digits = digits.dropFirst(2)
        }
    }
}

extension MessagePackValue {
    /// A timestamp, for tables of moments that are known to be valid.
    static func moment(_ seconds: Int64, _ nanoseconds: UInt32) -> MessagePackValue {
        MessagePackTimestamp(seconds: seconds, nanoseconds: nanoseconds).map { .timestamp($0) }
            ?? .null
    }
}
