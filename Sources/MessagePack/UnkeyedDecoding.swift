// SPDX-License-Identifier: Apache-2.0

/// The values of one array, as they are read.
///
/// Three words, so that `any UnkeyedDecodingContainer` holds it without an allocation. A read that
/// throws leaves the container before the value.
struct UnkeyedDecoding: UnkeyedDecodingContainer {
    let step: DecodingStep
    /// Where the next value begins.
    var offset: Int
    var currentIndex = 0

    init(step: DecodingStep, offset: Int) {
        self.step = step
        self.offset = offset
    }

    var codingPath: [any CodingKey] { step.path() }
    var count: Int? { step.state.count }
    var isAtEnd: Bool { currentIndex >= step.state.count }

    mutating func decodeNil() throws -> Bool {
        try scalar("nil") { reader throws(MessagePackError) in try reader.readNilIfPresent() }
            && advance()
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if isAtEnd { throw pastEnd("\(type)") }
        let value = try step.input.value(type, at: &offset, parent: step, key: ~currentIndex)
        currentIndex &+= 1
        return value
    }

    mutating func decodeIfPresent<T: Decodable>(_ type: T.Type) throws -> T? {
        if isAtEnd { return nil }
        if try decodeNil() { return nil }
        return try decode(type)
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try part { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try part { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try part { $0 } }

    private mutating func part<R>(_ body: (DecodingStep) throws -> R) throws -> R {
        if isAtEnd { throw pastEnd("a container") }
        let part = try DecodingStep.make(
            step.input, at: offset, parent: step, key: ~currentIndex)
        let result = try body(part)
        offset = try part.end()
        currentIndex &+= 1
        return result
    }

    private mutating func advance() -> Bool {
        currentIndex &+= 1
        return true
    }

    @inline(never)
    private func pastEnd(_ expected: String) -> MessagePackError {
        step.located(
            .missingValue(
                .init(offset: offset, path: [.index(currentIndex)]), expected: expected))
    }

    /// Reads a scalar and moves the bytes past it, but not the index.
    @inline(__always)
    private mutating func scalar<T>(
        _ expected: @autoclosure () -> String,
        _ read: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(MessagePackError) -> T {
        if isAtEnd { throw pastEnd(expected()) }
        var reader = step.input.reader(at: offset)
        do throws(MessagePackError) {
            let value = try read(&reader)
            offset = reader.position
            return value
        } catch {
            throw step.input.located(error, parent: step, key: ~currentIndex)
        }
    }

    @inline(__always)
    private mutating func next<T>(
        _ read: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(MessagePackError) -> T {
        let value = try scalar("\(T.self)", read)
        currentIndex &+= 1
        return value
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool {
        try next { reader throws(MessagePackError) in try reader.readBool() }
    }

    mutating func decode(_ type: String.Type) throws -> String {
        try next { reader throws(MessagePackError) in try reader.readString() }
    }

    mutating func decode(_ type: Double.Type) throws -> Double {
        try next { reader throws(MessagePackError) in try reader.readDouble() }
    }

    mutating func decode(_ type: Float.Type) throws -> Float {
        try next { reader throws(MessagePackError) in try reader.readFloat() }
    }

    mutating func decode(_ type: Int.Type) throws -> Int {
        try next { reader throws(MessagePackError) in try reader.readInt() }
    }

    mutating func decode(_ type: UInt64.Type) throws -> UInt64 {
        try next { reader throws(MessagePackError) in try reader.readUInt() }
    }

    mutating func decode(_ type: Int8.Type) throws -> Int8 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: Int16.Type) throws -> Int16 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: Int32.Type) throws -> Int32 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: Int64.Type) throws -> Int64 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: UInt.Type) throws -> UInt {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: UInt16.Type) throws -> UInt16 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }

    mutating func decode(_ type: UInt32.Type) throws -> UInt32 {
        try next { reader throws(MessagePackError) in try reader.readInteger() }
    }
}
