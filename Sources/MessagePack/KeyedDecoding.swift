// SPDX-License-Identifier: Apache-2.0

/// The entries of one map, as they are read.
struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let step: DecodingStep

    var codingPath: [any CodingKey] { step.path() }

    var allKeys: [Key] {
        step.keys().compactMap { key in
            switch key {
            case .text(let text): Key(stringValue: text)
            case .integer(let integer): Key(intValue: integer)
            }
        }
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { step.isNil(try entry(key)) }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let entry = try entry(key)
        var offset = entry.value
        return try step.input.value(type, at: &offset, parent: step, key: entry.key)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        guard let entry = present(key) else { return nil }
        var offset = entry.value
        return try step.input.value(type, at: &offset, parent: step, key: entry.key)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try part(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try part(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        guard let entry = step.find("super", nil) else { throw step.missing("super") }
        return try step.part(entry)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try part(key) }

    @inline(__always)
    private func find(_ key: Key) -> DecodingStep.Entry? {
        step.find(key.stringValue, key.intValue)
    }

    /// The entry under `key`, which must be there; the cursor moves past it.
    @inline(__always)
    private func entry(_ key: Key) throws(MessagePackError) -> DecodingStep.Entry {
        guard let entry = find(key) else { throw step.missing(key.stringValue) }
        step.state.cursor &+= 1
        return entry
    }

    /// The entry under `key`, unless it is missing or nil.
    @inline(__always)
    private func present(_ key: Key) -> DecodingStep.Entry? {
        guard let entry = find(key) else { return nil }
        step.state.cursor &+= 1
        return step.isNil(entry) ? nil : entry
    }

    private func part(_ key: Key) throws(MessagePackError) -> DecodingStep {
        try step.part(try entry(key))
    }

    /// Reads a scalar, and adds the way to it to an error.
    @inline(__always)
    private func scalar<T>(
        _ entry: DecodingStep.Entry,
        _ read: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(MessagePackError) -> T {
        var reader = step.input.reader(at: entry.value)
        do throws(MessagePackError) {
            return try read(&reader)
        } catch {
            throw step.input.located(error, parent: step, key: entry.key)
        }
    }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readBool() }
    }

    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readString() }
    }

    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readDouble() }
    }

    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readFloat() }
    }

    func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInt() }
    }

    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readUInt() }
    }

    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
        try scalar(entry(key)) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readBool() }
    }

    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readString() }
    }

    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readDouble() }
    }

    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readFloat() }
    }

    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInt() }
    }

    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readUInt() }
    }

    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }

    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
        guard let entry = present(key) else { return nil }
        return try scalar(entry) { reader throws(MessagePackError) in try reader.readInteger() }
    }
}

extension DecodingStep {
    enum FoundKey {
        case text(String)
        case integer(Int)
    }

    /// The keys in the order of the bytes.
    func keys() -> [FoundKey] {
        let table = withUnsafeMutablePointerToElements { $0 }
        return (0..<state.count).compactMap { index in
            var reader = input.reader(at: table[index].key)
            if let text = try? reader.readString() { return .text(text) }
            return (try? reader.readInt()).map { .integer($0) }
        }
    }

    @inline(__always)
    func isNil(_ entry: Entry) -> Bool {
        entry.value < input.bytes.count && input.bytes[entry.value] == 0xc0
    }

    @inline(never)
    func missing(_ key: String) -> MessagePackError {
        located(.missingKey(.init(offset: offset), key: key))
    }

    /// A step for the value of an entry of this map.
    func part(_ entry: Entry) throws(MessagePackError) -> DecodingStep {
        try DecodingStep.make(input, at: entry.value, parent: self, key: entry.key)
    }
}
