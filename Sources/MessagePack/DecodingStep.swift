// SPDX-License-Identifier: Apache-2.0

/// What an `init(from:)` gets: one value of the bytes.
///
/// For a map it holds a table of the entries behind itself in the same allocation: made in one pass,
/// so that a repeated key is refused whoever asks for what, and asked with a cursor, because types
/// mostly ask in the order in which they were written.
final class DecodingStep: ManagedBuffer<DecodingStep.Header, DecodingStep.Entry> {
    struct Header {
        let input: DecodingInput
        let parent: DecodingStep?
        /// Where the key of this value stands; `~index` in an array; nil for a part of no key.
        let key: Int?
        let offset: Int
        /// Past the value, where known (for maps); else 0.
        var end = 0
        /// Entries of a map.
        var count = 0
        var isMap = false
        var hasText = false
        var hasIntegers = false
        /// Kind of the first key that is neither string nor integer.
        var strangeKey: (offset: Int, kind: MessagePackKind)?
        /// The entry that will be asked for next, if the type asks in order.
        var cursor = 0
    }

    struct Entry {
        /// Equal keys have equal marks; different ones seldom do.
        let mark: UInt64
        let key: Int
        let value: Int
    }

    /// A step for the value at `offset`, with its table if it is a map.
    static func make(
        _ input: DecodingInput, at offset: Int, parent: DecodingStep?, key: Int?
    ) throws(MessagePackError) -> DecodingStep {
        var reader = input.reader(at: offset)
        do throws(MessagePackError) {
            let isMap = try reader.peek() == .map
            let count = isMap ? try reader.readMapHeader() : 0
            let buffer = DecodingStep.create(minimumCapacity: count) { _ in
                Header(input: input, parent: parent, key: key, offset: offset)
            }
            // `create` is documented to give an instance of the class it is called on.
            let step = unsafeDowncast(buffer, to: DecodingStep.self)
            if isMap {
                step.state.isMap = true
                step.state.count = count
                try step.fillTable(&reader)
            }
            return step
        } catch {
            throw input.located(error, parent: parent, key: key)
        }
    }

    /// The header. Why by pointer: `header` itself is checked for overlapping access at run time.
    var state: Header {
        @inline(__always) _read {
            yield withUnsafeMutablePointerToHeader { $0 }.pointee
        }
        @inline(__always) _modify {
            yield &withUnsafeMutablePointerToHeader { $0 }.pointee
        }
    }

    var input: DecodingInput { state.input }
    var offset: Int { state.offset }

    /// Past the value.
    func end() throws(MessagePackError) -> Int {
        if state.isMap { return state.end }
        var reader = input.reader(at: offset)
        try reader.skip()
        return reader.position
    }

    /// The way from the root to this value, read back from the bytes.
    func path() -> [MessagePackError.Step] {
        var steps: [MessagePackError.Step] = []
        var next: DecodingStep? = self
        while let step = next {
            if let key = step.state.key { steps.append(input.step(key)) }
            next = step.state.parent
        }
        return steps.reversed()
    }

    /// An error at this value, with its way.
    func located(_ error: MessagePackError) -> MessagePackError { error.below(path()) }
}

extension DecodingStep: Decoder {
    var codingPath: [any CodingKey] { path() }
    var userInfo: [CodingUserInfoKey: Any] { input.userInfo }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        guard state.isMap else { throw located(input.reader(at: offset).mismatch("a map")) }
        if let strange = state.strangeKey {
            throw located(.unsupportedKey(.init(offset: strange.offset), found: strange.kind))
        }
        return KeyedDecodingContainer(KeyedDecoding<Key>(step: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        var reader = input.reader(at: offset)
        do throws(MessagePackError) {
            state.count = try reader.readArrayHeader()
        } catch {
            throw located(error)
        }
        return UnkeyedDecoding(step: self, offset: reader.position)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }
}
