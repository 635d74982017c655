// SPDX-License-Identifier: Apache-2.0
import Foundation
import MessagePack
import Testing

@Suite struct `Containers` {
    class Animal: Codable {
        var legs: Int
        init(legs: Int) { self.legs = legs }
    }

    /// Shares the map of its base class.
    final class Dog: Animal {
        var name = "Rex"
        enum CodingKeys: CodingKey { case name }
        override init(legs: Int) { super.init(legs: legs) }
        required init(from decoder: any Decoder) throws {
            name = try decoder.container(keyedBy: CodingKeys.self).decode(
                String.self, forKey: .name)
            try super.init(from: decoder)
        }
        override func encode(to encoder: any Encoder) throws {
            try super.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .name)
        }
    }

    /// Puts its base class under a key.
    final class Cat: Animal {
        var lives = 9
        enum CodingKeys: CodingKey { case lives, base }
        override init(legs: Int) { super.init(legs: legs) }
        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            lives = try container.decode(Int.self, forKey: .lives)
            try super.init(from: container.superDecoder())
            let again = try Animal(from: container.superDecoder(forKey: .base))
            #expect(again.legs == legs)
        }
        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try super.encode(to: container.superEncoder())
            try container.encode(lives, forKey: .lives)
            try super.encode(to: container.superEncoder(forKey: .base))
        }
    }

    @Test func `a subclass may share the map of its base class`() throws {
        let bytes = try MessagePackEncoder().encode(Dog(legs: 4))
        #expect(try MessagePackValue(decoding: bytes) == ["legs": 4, "name": "Rex"])
        let dog = try MessagePackDecoder().decode(Dog.self, from: bytes)
        #expect(dog.legs == 4 && dog.name == "Rex")
    }

    @Test func `a base class may stand under super or any key`() throws {
        let bytes = try MessagePackEncoder().encode(Cat(legs: 3))
        #expect(
            try MessagePackValue(decoding: bytes)
                == ["super": ["legs": 3], "lives": 9, "base": ["legs": 3]])
        let cat = try MessagePackDecoder().decode(Cat.self, from: bytes)
        #expect(cat.legs == 3 && cat.lives == 9)
    }

    /// Fills nested containers in turns, which a single pass over the output could not.
    struct Interleaved: Codable, Equatable {
        var odd: [Int] = []
        var even: [String: Int] = [:]
        enum Keys: CodingKey { case odd, head, even, tail }
        struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(_ n: Int) {
            odd = Array(0..<n)
            for i in 0..<n { even["k\(i)"] = i }
        }

        func encode(to encoder: any Encoder) throws {
            var root = encoder.container(keyedBy: Keys.self)
            var odds = root.nestedUnkeyedContainer(forKey: .odd)
            try root.encode("head", forKey: .head)
            var evens = root.nestedContainer(keyedBy: Name.self, forKey: .even)
            for i in odd {
                try odds.encode(i)
                try evens.encode(i, forKey: Name(stringValue: "k\(i)"))
            }
            try root.encode("tail", forKey: .tail)
            var deep = odds.nestedUnkeyedContainer()
            var deeper = deep.nestedContainer(keyedBy: Name.self)
            try odds.encodeNil()
            try deeper.encode([1, 2], forKey: Name(stringValue: "x"))
            try deep.encode(true)
            #expect(odds.count == odd.count + 2)
        }

        init(from decoder: any Decoder) throws {
            let root = try decoder.container(keyedBy: Keys.self)
            #expect(try root.decode(String.self, forKey: .tail) == "tail")
            #expect(try root.decode(String.self, forKey: .head) == "head")
            var odds = try root.nestedUnkeyedContainer(forKey: .odd)
            let n = (odds.count ?? 0) - 2
            for _ in 0..<n { odd.append(try odds.decode(Int.self)) }
            var deep = try odds.nestedUnkeyedContainer()
            let deeper = try deep.nestedContainer(keyedBy: Name.self)
            #expect(try deeper.decode([Int].self, forKey: Name(stringValue: "x")) == [1, 2])
            #expect(try deep.decode(Bool.self))
            #expect(deep.isAtEnd)
            #expect(try odds.decodeNil())
            #expect(odds.isAtEnd)
            let evens = try root.nestedContainer(keyedBy: Name.self, forKey: .even)
            for key in evens.allKeys {
                even[key.stringValue] = try evens.decode(Int.self, forKey: key)
            }
        }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 300, 70_000])
    func `nested containers may be filled in any order`(_ n: Int) throws {
        try roundTrip(Interleaved(n))
    }

    struct Guarded: Encodable {
        struct Bad: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try container.encode(1)
                _ = container.nestedUnkeyedContainer()
                throw CancellationError()
            }
        }
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Interleaved.Name.self)
            try container.encode(1, forKey: .init(stringValue: "a"))
            try? container.encode(Bad(), forKey: .init(stringValue: "bad"))
            try container.encode(2, forKey: .init(stringValue: "b"))
        }
    }

    @Test func `an entry that throws leaves nothing behind when its error is caught`() throws {
        let bytes = try MessagePackEncoder().encode(Guarded())
        #expect(try MessagePackValue(decoding: bytes) == ["a": 1, "b": 2])
    }

    struct Empty: Codable, Equatable {}

    @Test func `a type without properties is an empty map`() throws {
        #expect(try MessagePackEncoder().encode(Empty()) == [0x80])
        try roundTrip([Empty(), Empty()])
        try roundTrip(["a": Empty()])
    }

    struct TwoKinds: Encodable {
        func encode(to encoder: any Encoder) throws {
            _ = encoder.unkeyedContainer()
            _ = encoder.container(keyedBy: Interleaved.Name.self)
        }
    }
    struct Twice: Encodable {
        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(1)
            try container.encode(2)
        }
    }
    final class Keeper: Codable {
        nonisolated(unsafe) static var reading: (any UnkeyedDecodingContainer)?
        nonisolated(unsafe) static var keyed: KeyedDecodingContainer<Interleaved.Name>?
        nonisolated(unsafe) static var writing: (any UnkeyedEncodingContainer)?
        init() {}
        init(from decoder: any Decoder) throws {
            if let keyed = try? decoder.container(keyedBy: Interleaved.Name.self) {
                Self.keyed = keyed
            } else {
                Self.reading = try decoder.unkeyedContainer()
            }
        }
        func encode(to encoder: any Encoder) throws { Self.writing = encoder.unkeyedContainer() }
    }

    @Test func `breaking the rules of Encoder is an error and not a trap`() throws {
        #expect(throws: MessagePackError.self) { try MessagePackEncoder().encode(TwoKinds()) }
        #expect(throws: MessagePackError.self) { try MessagePackEncoder().encode(Twice()) }
        #expect(throws: MessagePackError.self) { try MessagePackEncoder().encode([Twice()]) }
    }

    @Test func `a container kept too long finds nothing and writes nowhere`() throws {
        _ = try MessagePackEncoder().encode([Keeper()])
        #expect(throws: MessagePackError.self) { try Keeper.writing?.encode(1) }
        #expect(throws: MessagePackError.self) { try Keeper.writing?.encode("text") }
        #expect(throws: MessagePackError.self) { try Keeper.writing?.encode([1.5]) }
        _ = try MessagePackDecoder().decode(Keeper.self, from: [0x92, 1, 2])
        #expect(throws: MessagePackError.self) { try Keeper.reading?.decode(Int.self) }
        #expect(throws: MessagePackError.self) { try Keeper.reading?.decode([Int].self) }
        _ = try MessagePackDecoder().decode(Keeper.self, from: [0x81, 0xa1, 0x61, 2])
        let key = Interleaved.Name(stringValue: "a")
        #expect(throws: MessagePackError.self) { try Keeper.keyed?.decode(Int.self, forKey: key) }
        #expect(Keeper.keyed?.allKeys.isEmpty == true)
    }

    @Test func `user info reaches the types`() throws {
        struct Asking: Codable {
            static let key = CodingUserInfoKey(rawValue: "k")
            init() {}
            init(from decoder: any Decoder) throws { try Self.check(decoder.userInfo) }
            func encode(to encoder: any Encoder) throws { try Self.check(encoder.userInfo) }
            static func check(_ info: [CodingUserInfoKey: Any]) throws {
                #expect(key.flatMap { info[$0] as? Int } == 5)
            }
        }
        var encoder = MessagePackEncoder()
        var decoder = MessagePackDecoder()
        if let key = Asking.key {
            encoder.userInfo[key] = 5
            decoder.userInfo[key] = 5
        }
        _ = try decoder.decode(Asking.self, from: encoder.encode(Asking()))
    }
}
