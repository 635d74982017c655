// SPDX-License-Identifier: Apache-2.0
import RedisClient
import Testing

@Suite struct `Parser` {
    /// Every type once, with its meaning.
    static let samples: [(wire: String, value: RESPValue)] = [
        ("+OK\r\n", .simpleString(bytes("OK"))),
        ("+\r\n", .simpleString(bytes(""))),
        ("-ERR no\r\n", .error(bytes("ERR no"))),
        ("!6\r\nERR\r\nx\r\n", .error(bytes("ERR\r\nx"))),
        (":0\r\n", .integer(0)),
        (":+7\r\n", .integer(7)),
        (":-9223372036854775808\r\n", .integer(.min)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .bulk(bytes(""))),
        ("$5\r\na\r\n\0b\r\n", .bulk(bytes("a\r\n\0b"))),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("*0\r\n", .array([])),
        (
            "*3\r\n:1\r\n$-1\r\n*1\r\n+x\r\n",
            .array([.integer(1), .null, .array([.simpleString(bytes("x"))])])
        ),
        (
            "%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n",
            .map([.simpleString(bytes("a")), .integer(1), .simpleString(bytes("b")), .array([])])
        ),
        ("~2\r\n:1\r\n:2\r\n", .set([.integer(1), .integer(2)])),
        (
            ">2\r\n+pubsub\r\n+m\r\n",
            .push([.simpleString(bytes("pubsub")), .simpleString(bytes("m"))])
        ),
        (",3.25\r\n", .double(3.25)),
        (",-1e-3\r\n", .double(-0.001)),
        (",10\r\n", .double(10)),
        (",inf\r\n", .double(.infinity)),
        (",-inf\r\n", .double(-.infinity)),
        (",nan\r\n", .double(.nan)),
        ("#t\r\n", .bool(true)),
        ("#f\r\n", .bool(false)),
        (
            "(-3492890328409238509324850943850943825024385\r\n",
            .bigNumber(bytes("-3492890328409238509324850943850943825024385"))
        ),
        ("=7\r\ntxt:hi!\r\n", .verbatim(bytes("txt:hi!"))),
        ("|1\r\n+ttl\r\n:3600\r\n:5\r\n", .integer(5)),
        ("|0\r\n:5\r\n", .integer(5)),
        (
            "*2\r\n|2\r\n+a\r\n*1\r\n|1\r\n+x\r\n+y\r\n+z\r\n+b\r\n:2\r\n:1\r\n:2\r\n",
            .array([.integer(1), .integer(2)])
        ),
    ]

    @Test func `every type means what the protocol says`() throws {
        for (wire, value) in Self.samples {
            var parser = RESPParser()
            parser.feed(Array(wire.utf8))
            #expect(try parser.next() == value, "\(wire.debugDescription)")
            #expect(try parser.next() == nil)
            #expect(parser.waiting == 0)
        }
    }

    @Test func `a stream cut in two anywhere reads like the whole`() throws {
        let wire = Self.samples.flatMap { Array($0.wire.utf8) }
        let expected = Self.samples.map(\.value)
        for cut in 0...wire.count {
            #expect(
                try read([Array(wire[..<cut]), Array(wire[cut...])]) == expected, "cut at \(cut)")
        }
    }

    @Test(arguments: [1, 2, 3, 7, 16, 61])
    func `a stream in small pieces reads like the whole`(_ size: Int) throws {
        let wire = Self.samples.flatMap { Array($0.wire.utf8) }
        let chunks = stride(from: 0, to: wire.count, by: size).map {
            Array(wire[$0..<min($0 + size, wire.count)])
        }
        #expect(try read(chunks) == Self.samples.map(\.value))
    }

    @Test func `an earlier reply stays intact while later bytes arrive`() throws {
        var parser = RESPParser()
        parser.feed(Array("$3\r\nabc\r\n$3\r\nde".utf8))
        let first = try parser.next()
        #expect(try parser.next() == nil)
        parser.feed(Array("f\r\n".utf8))
        #expect(try parser.next() == .bulk(bytes("def")))
        #expect(first == .bulk(bytes("abc")))
    }

    @Test(arguments: [
        "$-2\r\n", "$+1\r\na\r\n", "$01\r\na\r\n", "$\r\n\r\n", "$1a\r\n", "$ 1\r\na\r\n",
        "$--1\r\n",
        "$-01\r\n", "*-2\r\n", "*+1\r\n:1\r\n", "*00\r\n", "%-1\r\n", "~-1\r\n", "|-1\r\n",
        "!-1\r\n",
        "=-1\r\n", "$99999999999\r\n",
    ])
    func `a length that no server writes is refused`(_ wire: String) {
        #expect(refusal(wire) == .badLength)
    }

    @Test func `a hostile length reserves nothing and is refused`() {
        let limits = RESPParser.Limits()
        #expect(refusal("$9223372036854775807\r\n") == .badLength)
        #expect(refusal("*9223372036854775807\r\n") == .badLength)
        #expect(refusal("$9999999999\r\n") == .tooLong(limit: limits.bulk))
        #expect(refusal("*9999999999\r\n") == .tooMany(limit: limits.values))
        #expect(refusal("%9999999999\r\n") == .tooMany(limit: limits.values))
        #expect(refusal("|9999999999\r\n") == .tooMany(limit: limits.values))
        // A million digits never end in CR LF within the limit of a line.
        #expect(
            refusal("$" + String(repeating: "1", count: 1_000_000)) == .tooLong(limit: limits.line))
        #expect(
            refusal("+" + String(repeating: "x", count: 1_000_000)) == .tooLong(limit: limits.line))
    }

    @Test(arguments: [
        ":\r\n", ":-\r\n", ":1x\r\n", ":9223372036854775808\r\n", ":-9223372036854775809\r\n",
        "#x\r\n", "#tt\r\n", "_x\r\n", ",\r\n", ",0x1p3\r\n", ",infinity\r\n", ",1 \r\n", "(\r\n",
        "(-\r\n", "(1x\r\n",
    ])
    func `a scalar that is not of its type is refused`(_ wire: String) {
        #expect(refusal(wire) == .badScalar)
    }

    @Test func `a missing or wrong end is refused`() {
        #expect(refusal("+OK\rX") == .badEnd)
        #expect(refusal("$3\r\nabcd\r\n") == .badEnd)
        #expect(refusal("$3\r\nabc\n\n") == .badEnd)
        #expect(refusal("=3\r\ntxt\r\n") == .badEnd)
        #expect(refusal("=5\r\ntxt-a\r\n") == .badEnd)
        #expect(refusal("?1\r\n") == .unknownType(0x3F))
        #expect(refusal("\r\n") == .unknownType(13))
    }

    @Test func `depth 32 is read and depth 33 is refused`() {
        let deep = { String(repeating: "*1\r\n", count: $0) + ":1\r\n" }
        #expect(refusal(deep(32)) == nil)
        #expect(refusal(deep(33)) == .tooDeep(limit: 32))
        let attributes = String(repeating: "|1\r\n", count: 33) + ":1\r\n"
        #expect(refusal(attributes) == .tooDeep(limit: 32))
    }

    @Test func `values are bounded over the whole reply`() {
        var limits = RESPParser.Limits()
        limits.values = 10
        #expect(refusal("*9\r\n" + String(repeating: ":1\r\n", count: 9), limits) == nil)
        #expect(
            refusal(
                String(repeating: "*5\r\n", count: 3) + String(repeating: ":1\r\n", count: 9),
                limits) == .tooMany(limit: 10))
        #expect(
            refusal(String(repeating: "|1\r\n:1\r\n:1\r\n", count: 9), limits)
                == .tooMany(limit: 10))
    }

    @Test func `an error stays an error`() {
        var parser = RESPParser()
        parser.feed(Array("?\r\n+OK\r\n".utf8))
        #expect(throws: RESPError.unknownType(0x3F)) { try parser.next() }
        parser.feed(Array("+OK\r\n".utf8))
        #expect(throws: RESPError.unknownType(0x3F)) { try parser.next() }
    }

    /// Counts the work instead of timing it: the same bytes, whole and byte by byte.
    @Test(arguments: [1, 3, 4096])
    func `a million elements are linear work however they are cut`(_ size: Int) throws {
        let wire =
            Array("*1000000\r\n".utf8)
            + Array(repeatElement("$1\r\na\r\n".utf8, count: 1_000_000).joined())
        var parser = RESPParser()
        var value: RESPValue?
        for start in stride(from: 0, to: wire.count, by: size) {
            wire[start..<min(start + size, wire.count)].withUnsafeBytes { parser.feed($0) }
            value = try parser.next() ?? value
        }
        #expect(value?.elements?.count == 1_000_000)
        #expect(parser.work <= 3 * wire.count, "\(parser.work) steps for \(wire.count) bytes")
    }

    @Test func `many replies and a long string are linear work byte by byte`() throws {
        let wire = Array(
            (String(repeating: "+OK\r\n", count: 19_999)
                + "+" + String(repeating: "y", count: 60_000) + "\r\n$300000\r\n"
                + String(repeating: "x", count: 300_000) + "\r\n").utf8)
        var parser = RESPParser()
        var replies = 0
        for byte in wire {
            parser.feed([byte])
            while try parser.next() != nil { replies += 1 }
        }
        #expect(replies == 20_001)
        #expect(parser.work <= 3 * wire.count, "\(parser.work) steps for \(wire.count) bytes")
    }

    private func read(_ chunks: [[UInt8]]) throws -> [RESPValue] {
        var parser = RESPParser()
        var values: [RESPValue] = []
        for chunk in chunks {
            parser.feed(chunk)
            while let value = try parser.next() { values.append(value) }
        }
        return values
    }

    private func refusal(_ wire: String, _ limits: RESPParser.Limits = .init()) -> RESPError? {
        var parser = RESPParser(limits: limits)
        parser.feed(Array(wire.utf8))
        do throws(RESPError) {
            _ = try parser.next()
            return nil
        } catch {
            return error
        }
    }
}

func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }
