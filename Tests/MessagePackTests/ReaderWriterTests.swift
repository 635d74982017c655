// SPDX-License-Identifier: Apache-2.0
import MessagePack
import Testing

@Suite struct `Reader and writer` {
    @Test func `an envelope is read in the order in which it was written`() throws {
        var writer = MessagePackWriter(capacity: 16)
        writer.writeArrayHeader(11)
        writer.writeNil()
        writer.writeBool(true)
        writer.writeInt(-70_000)
        writer.writeUInt(.max)
        writer.writeDouble(2.5)
        writer.writeFloat(0.5)
        writer.writeString(String(repeating: "long ", count: 100))
        writer.writeBinary([1, 2, 3])
        writer.writeMapHeader(1)
        writer.writeString("key")
        writer.writeArrayHeader(0)
        writer.writeExtension(.init(type: 3, bytes: [9]))
        if let moment = MessagePackTimestamp(seconds: 1, nanoseconds: 2) {
            writer.writeTimestamp(moment)
        }
        let bytes = writer.bytes
        #expect(writer.count == bytes.count)

        try MessagePackReader.reading(bytes) { reader in
            var whole = reader
            try whole.skip()
            #expect(whole.isAtEnd)
            #expect(try reader.readArrayHeader() == 11)
            #expect(try reader.readNilIfPresent())
            #expect(try reader.readBool())
            #expect(try reader.readInt() == -70_000)
            #expect(try reader.readUInt() == .max)
            #expect(try reader.readDouble() == 2.5)
            #expect(try reader.readDouble() == 0.5)
            #expect(try reader.readString().count == 500)
            #expect(try reader.readBinary() == [1, 2, 3])
            #expect(try reader.peek() == .map)
            #expect(try reader.readMapHeader() == 1)
            #expect(try reader.readString() == "key")
            #expect(try reader.readArrayHeader() == 0)
            #expect(try reader.readExtension() == .init(type: 3, bytes: [9]))
            #expect(try reader.readTimestamp().nanoseconds == 2)
            #expect(reader.remaining == 0)
            try reader.finish()
        }
    }

    @Test func `a count beyond the bytes left is refused before anything is reserved`() throws {
        for hex in ["ddffffffff0000", "dcffff00", "9f00", "dfffffffff0000", "8200c001"] {
            let bytes = [UInt8](hex: hex)
            #expect(throws: MessagePackError.self) {
                try MessagePackReader.reading(bytes) { reader in
                    _ =
                        try reader.peek() == .map
                        ? reader.readMapHeader() : reader.readArrayHeader()
                }
            }
        }
    }

    @Test func `what does not fit or is of another kind is refused`() throws {
        func refused(_ hex: String, _ read: (inout MessagePackReader) throws -> Void) {
            let bytes = [UInt8](hex: hex)
            #expect(throws: MessagePackError.self) {
                try MessagePackReader.reading(bytes) { reader in try read(&reader) }
            }
        }
        refused("cfffffffffffffffff") { _ = try $0.readInt() }
        refused("ff") { _ = try $0.readUInt() }
        refused("a0") { _ = try $0.readInt() }
        refused("c0") { _ = try $0.readString() }
        refused("01") { try $0.readNil() }
        refused("01") { _ = try $0.readBool() }
        refused("a0") { _ = try $0.readBinary() }
        refused("c400") { _ = try $0.readString() }
        refused("80") { _ = try $0.readArrayHeader() }
        refused("90") { _ = try $0.readMapHeader() }
        refused("d40100") { _ = try $0.readTimestamp() }
        refused("cf0020000000000001") { _ = try $0.readDouble() }
        refused("c0") { try $0.finish() }
        refused("c1") { try $0.skip() }
    }

    @Test func `values follow each other until the end`() throws {
        let bytes = [UInt8](hex: "01a16191c0")
        let values = try MessagePackReader.reading(bytes[...]) { reader in
            var values: [MessagePackValue] = []
            while !reader.isAtEnd { values.append(try reader.readValue()) }
            return values
        }
        #expect(values == [1, "a", [nil]])
    }

    @Test func `values are equal when their bytes are`() throws {
        #expect(MessagePackValue.int(1) == .uint(1))
        #expect(MessagePackValue.double(.nan) == .double(.nan))
        #expect(MessagePackValue.double(0) != .double(-0.0))
        #expect(MessagePackValue.string("é") != .string("e\u{301}"))
        let same: Set<MessagePackValue> = [
            1, .uint(1), .moment(1, 0),
            .extension(.init(type: -1, bytes: [0, 0, 0, 1])),
        ]
        #expect(same.count == 2)
        let tree: MessagePackValue = ["a": [1, 2.5]]
        #expect(tree["a"]?[1] == 2.5)
        #expect(tree["b"] == nil && tree["a"]?[2] == nil)
    }
}
