// SPDX-License-Identifier: Apache-2.0

/// The entries of one map, as they are written.
struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let session: EncodingSession
    let serial: Int

    var codingPath: [any CodingKey] { session.path() }

    /// Writes the key and counts the entry; the caller writes the value next.
    @inline(__always) @discardableResult
    private func begin(_ key: Key) throws(MessagePackError) -> Int {
        try session.check(serial)
        let at = try session.writeKey(key.stringValue, key.intValue)
        session.frame.count &+= 1
        return at
    }

    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        let at = try begin(key)
        do {
            try session.write(value, key: at)
        } catch {
            // An encode(to:) may catch this and go on: the entry must not stay half written.
            session.rewind(to: at)
            session.frame.count &-= 1
            throw error
        }
    }

    mutating func encodeNil(forKey key: Key) throws {
        try begin(key)
        session.writer.writeNil()
    }

    mutating func encode(_ value: String, forKey key: Key) throws {
        let at = try begin(key)
        do {
            try session.write(value)
        } catch {
            session.rewind(to: at)
            session.frame.count &-= 1
            throw error
        }
    }

    mutating func encode(_ value: Int, forKey key: Key) throws {
        try begin(key)
        session.writer.writeInt(value)
    }

    mutating func encode(_ value: Int8, forKey key: Key) throws {
        try begin(key)
        session.writer.writeInt(Int64(value))
    }

    mutating func encode(_ value: Int16, forKey key: Key) throws {
        try begin(key)
        session.writer.writeInt(Int64(value))
    }

    mutating func encode(_ value: Int32, forKey key: Key) throws {
        try begin(key)
        session.writer.writeInt(Int64(value))
    }

    mutating func encode(_ value: Int64, forKey key: Key) throws {
        try begin(key)
        session.writer.writeInt(value)
    }

    mutating func encode(_ value: UInt, forKey key: Key) throws {
        try begin(key)
        session.writer.writeUInt(UInt64(value))
    }

    mutating func encode(_ value: UInt8, forKey key: Key) throws {
        try begin(key)
        session.writer.writeUInt(UInt64(value))
    }

    mutating func encode(_ value: UInt16, forKey key: Key) throws {
        try begin(key)
        session.writer.writeUInt(UInt64(value))
    }

    mutating func encode(_ value: UInt32, forKey key: Key) throws {
        try begin(key)
        session.writer.writeUInt(UInt64(value))
    }

    mutating func encode(_ value: UInt64, forKey key: Key) throws {
        try begin(key)
        session.writer.writeUInt(value)
    }

    mutating func encode(_ value: Bool, forKey key: Key) throws {
        try begin(key)
        session.writer.writeBool(value)
    }

    mutating func encode(_ value: Double, forKey key: Key) throws {
        try begin(key)
        session.writer.writeDouble(value)
    }

    mutating func encode(_ value: Float, forKey key: Key) throws {
        try begin(key)
        session.writer.writeFloat(value)
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { part(key).container(keyedBy: type) }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        part(key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        part { () throws(MessagePackError) in
            try session.check(serial)
            let at = try session.writeKey("super", nil)
            session.frame.count &+= 1
            return at
        }
    }

    mutating func superEncoder(forKey key: Key) -> any Encoder { part(key) }

    private func part(_ key: Key) -> EncodingStep {
        part { () throws(MessagePackError) in try begin(key) }
    }

    private func part(_ begin: () throws(MessagePackError) -> Int) -> EncodingStep {
        do throws(MessagePackError) {
            let at = try begin()
            return EncodingStep(session: session.part(under: session.step(at)), serial: 0)
        } catch {
            return EncodingStep(session: session.lostPart(error), serial: -1)
        }
    }
}
