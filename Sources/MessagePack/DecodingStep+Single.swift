// SPDX-License-Identifier: Apache-2.0

/// A value read as a whole; a class already, so `any SingleValueDecodingContainer` allocates nothing.
extension DecodingStep: SingleValueDecodingContainer {
    func decodeNil() -> Bool { offset < input.bytes.count && input.bytes[offset] == 0xc0 }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        var next = offset
        return try input.value(type, at: &next, parent: state.parent, key: state.key)
    }

    @inline(__always)
    private func scalar<T>(
        _ read: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(MessagePackError) -> T {
        var reader = input.reader(at: offset)
        do throws(MessagePackError) {
            return try read(&reader)
        } catch {
            throw located(error)
        }
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        try scalar { reader throws(MessagePackError) in try reader.readBool() }
    }

    func decode(_ type: String.Type) throws -> String {
        try scalar { reader throws(MessagePackError) in try reader.readString() }
    }

    func decode(_ type: Double.Type) throws -> Double {
        try scalar { reader throws(MessagePackError) in try reader.readDouble() }
    }

    func decode(_ type: Float.Type) throws -> Float {
        try scalar { reader throws(MessagePackError) in try reader.readFloat() }
    }

    func decode(_ type: Int.Type) throws -> Int {
        try scalar { reader throws(MessagePackError) in try reader.readInt() }
    }

    func decode(_ type: UInt64.Type) throws -> UInt64 {
        try scalar { reader throws(MessagePackError) in try reader.readUInt() }
    }

    func decode(_ type: Int8.Type) throws -> Int8 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int16.Type) throws -> Int16 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int32.Type) throws -> Int32 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int64.Type) throws -> Int64 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt.Type) throws -> UInt {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt8.Type) throws -> UInt8 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt16.Type) throws -> UInt16 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt32.Type) throws -> UInt32 {
        try scalar { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func timestamp() throws(MessagePackError) -> MessagePackTimestamp {
        try scalar { reader throws(MessagePackError) in try reader.readTimestamp() }
    }

    func extensionValue() throws(MessagePackError) -> MessagePackExtension {
        try scalar { reader throws(MessagePackError) in try reader.readExtension() }
    }
}
