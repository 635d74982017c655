// SPDX-License-Identifier: Apache-2.0

extension MessagePackValue {
    /// Reads exactly one value from `bytes`.
    ///
    /// Refuses what every reader of this module refuses: cut or trailing bytes, 0xc1, text that is
    /// not UTF-8, repeated keys, timestamps out of form, more than 64 levels.
    public init(decoding bytes: [UInt8]) throws(MessagePackError) {
        self = try MessagePackReader.reading(bytes) {
            (reader: inout MessagePackReader) throws(MessagePackError) in
            let value = try reader.readValue()
            try reader.finish()
            return value
        }
    }

    /// The bytes of this value, each part in its smallest form.
    ///
    /// Throws `.tooDeep` beyond 64 levels, which no reader of this module would take back.
    public func encoded() throws(MessagePackError) -> [UInt8] {
        var writer = MessagePackWriter()
        try writer.writeValue(self)
        return writer.bytes
    }
}

extension MessagePackWriter {
    /// Writes any value; keys are written as they stand, twice if they stand twice.
    public mutating func writeValue(_ value: MessagePackValue) throws(MessagePackError) {
        try writeValue(value, depth: 0)
    }

    mutating func writeValue(_ value: MessagePackValue, depth: Int) throws(MessagePackError) {
        switch value {
        case .null: writeNil()
        case .bool(let value): writeBool(value)
        case .int(let value): writeInt(value)
        case .uint(let value): writeUInt(value)
        case .float(let value): writeFloat(value)
        case .double(let value): writeDouble(value)
        case .string(let value): writeString(value)
        case .binary(let value): writeBinary(value)
        case .timestamp(let value): writeTimestamp(value)
        case .extension(let value): writeExtension(value)
        case .array(let values):
            try checkDepth(depth)
            writeArrayHeader(values.count)
            for value in values { try writeValue(value, depth: depth + 1) }
        case .map(let entries):
            try checkDepth(depth)
            writeMapHeader(entries.count)
            for entry in entries {
                try writeValue(entry.key, depth: depth + 1)
                try writeValue(entry.value, depth: depth + 1)
            }
        }
    }

    func checkDepth(_ depth: Int) throws(MessagePackError) {
        guard depth < MessagePackReader.depthLimit else {
            throw .tooDeep(.init(offset: count), limit: MessagePackReader.depthLimit)
        }
    }
}

extension MessagePackReader {
    /// Reads any value, and all that it holds.
    public mutating func readValue() throws(MessagePackError) -> MessagePackValue {
        // Why first: once the structure holds, every count is one of values that are there, so
        // memory may be reserved by it.
        var probe = self
        try probe.skip()
        return try readCheckedValue()
    }

    /// Reads a value whose structure `skip` has passed.
    mutating func readCheckedValue() throws(MessagePackError) -> MessagePackValue {
        let start = position
        switch try peek() {
        case .null:
            try readNil()
            return .null
        case .bool: return .bool(try readBool())
        case .integer:
            let value = input[position] == 0xcf ? try readUInt() : nil
            guard let value else { return .int(try readInt64()) }
            return Int64(exactly: value).map { .int($0) } ?? .uint(value)
        case .float:
            if input[position] == 0xca { return .float(Float(bitPattern: try load(UInt32.self))) }
            return .double(try readDouble())
        case .string: return .string(try readString())
        case .binary: return .binary(try readBinary())
        case .array:
            let count = try readArrayHeader()
            var values: [MessagePackValue] = []
            values.reserveCapacity(count)
            for _ in 0..<count { values.append(try readCheckedValue()) }
            return .array(values)
        case .map: return .map(try readCheckedEntries())
        case .extension:
            let (type, bytes) = try readExtensionBytes()
            if type == -1 { return .timestamp(try Self.timestamp(bytes, at: start)) }
            return .extension(MessagePackExtension(type: type, bytes: [UInt8](bytes)))
        case .reserved: throw .reservedByte(.init(offset: start))
        }
    }

    private mutating func readCheckedEntries() throws(MessagePackError)
        -> [MessagePackValue.Entry]
    {
        let count = try readMapHeader()
        var entries: [MessagePackValue.Entry] = []
        entries.reserveCapacity(count)
        // Hashing is seeded, so no sender can choose keys that collide.
        var seen: Set<MessagePackValue> = []
        for _ in 0..<count {
            let start = position
            let key = try readCheckedValue()
            let isNew =
                count <= 8
                ? !entries.contains { $0.key == key }
                : seen.insert(key).inserted
            guard isNew else { throw .duplicateKey(.init(offset: start), key: "\(key)") }
            entries.append(.init(key, try readCheckedValue()))
        }
        return entries
    }
}
