// SPDX-License-Identifier: Apache-2.0

/// What an `encode(to:)` gets: the value it writes, by the serial of its frame.
///
/// A struct of two words, so that `any Encoder` holds it without an allocation.
struct EncodingStep: Encoder {
    let session: EncodingSession
    let serial: Int

    var codingPath: [any CodingKey] { session.path() }
    var userInfo: [CodingUserInfoKey: Any] { session.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        session.open(.map, serial: serial)
        return KeyedEncodingContainer(KeyedEncoding<Key>(session: session, serial: serial))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        session.open(.array, serial: serial)
        return UnkeyedEncoding(session: session, serial: serial)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension EncodingStep: SingleValueEncodingContainer {
    /// Claims the one value that may be written.
    @inline(__always)
    private func begin() throws(MessagePackError) {
        try session.check(serial)
        guard session.frame.shape == .nothing else {
            throw session.misuse("one value was written twice")
        }
        session.frame.shape = .single
    }

    func encode<T: Encodable>(_ value: T) throws {
        try begin()
        do {
            try session.write(value, key: nil)
        } catch {
            session.frame.shape = .nothing
            throw error
        }
    }

    func encodeNil() throws {
        try begin()
        session.writer.writeNil()
    }

    func encode(_ value: String) throws {
        try begin()
        try session.write(value)
    }

    func encode(_ value: Int) throws {
        try begin()
        session.writer.writeInt(value)
    }

    func encode(_ value: Int8) throws {
        try begin()
        session.writer.writeInt(Int64(value))
    }

    func encode(_ value: Int16) throws {
        try begin()
        session.writer.writeInt(Int64(value))
    }

    func encode(_ value: Int32) throws {
        try begin()
        session.writer.writeInt(Int64(value))
    }

    func encode(_ value: Int64) throws {
        try begin()
        session.writer.writeInt(value)
    }

    func encode(_ value: UInt) throws {
        try begin()
        session.writer.writeUInt(UInt64(value))
    }

    func encode(_ value: UInt8) throws {
        try begin()
        session.writer.writeUInt(UInt64(value))
    }

    func encode(_ value: UInt16) throws {
        try begin()
        session.writer.writeUInt(UInt64(value))
    }

    func encode(_ value: UInt32) throws {
        try begin()
        session.writer.writeUInt(UInt64(value))
    }

    func encode(_ value: UInt64) throws {
        try begin()
        session.writer.writeUInt(value)
    }

    func encode(_ value: Bool) throws {
        try begin()
        session.writer.writeBool(value)
    }

    func encode(_ value: Double) throws {
        try begin()
        session.writer.writeDouble(value)
    }

    func encode(_ value: Float) throws {
        try begin()
        session.writer.writeFloat(value)
    }
}
