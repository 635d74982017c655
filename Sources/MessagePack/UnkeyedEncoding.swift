// SPDX-License-Identifier: Apache-2.0

/// The values of one array, as they are written.
struct UnkeyedEncoding: UnkeyedEncodingContainer {
    let session: EncodingSession
    let serial: Int

    var codingPath: [any CodingKey] { session.path() }
    var count: Int { session.frame.serial == serial ? session.frame.count : 0 }

    mutating func encode<T: Encodable>(_ value: T) throws {
        try session.check(serial)
        let start = session.writer.count
        let index = session.frame.count
        session.frame.count = index &+ 1
        do {
            try session.write(value, key: ~index)
        } catch {
            session.rewind(to: start)
            session.frame.count = index
            throw error
        }
    }

    mutating func encodeNil() throws {
        try session.check(serial)
        session.writer.writeNil()
        session.frame.count &+= 1
    }

    mutating func encode(_ value: String) throws {
        try session.check(serial)
        try session.write(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Int) throws {
        try session.check(serial)
        session.writer.writeInt(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Int8) throws {
        try session.check(serial)
        session.writer.writeInt(Int64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Int16) throws {
        try session.check(serial)
        session.writer.writeInt(Int64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Int32) throws {
        try session.check(serial)
        session.writer.writeInt(Int64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Int64) throws {
        try session.check(serial)
        session.writer.writeInt(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: UInt) throws {
        try session.check(serial)
        session.writer.writeUInt(UInt64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: UInt8) throws {
        try session.check(serial)
        session.writer.writeUInt(UInt64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: UInt16) throws {
        try session.check(serial)
        session.writer.writeUInt(UInt64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: UInt32) throws {
        try session.check(serial)
        session.writer.writeUInt(UInt64(value))
        session.frame.count &+= 1
    }

    mutating func encode(_ value: UInt64) throws {
        try session.check(serial)
        session.writer.writeUInt(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Bool) throws {
        try session.check(serial)
        session.writer.writeBool(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Double) throws {
        try session.check(serial)
        session.writer.writeDouble(value)
        session.frame.count &+= 1
    }

    mutating func encode(_ value: Float) throws {
        try session.check(serial)
        session.writer.writeFloat(value)
        session.frame.count &+= 1
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) -> KeyedEncodingContainer<Nested> { part().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        part().unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { part() }

    private func part() -> EncodingStep {
        guard session.frame.serial == serial else {
            return EncodingStep(session: session.lostPart(session.whyClosed()), serial: -1)
        }
        let part = session.part(under: .index(session.frame.count))
        session.frame.count &+= 1
        return EncodingStep(session: part, serial: 0)
    }
}
