// SPDX-License-Identifier: Apache-2.0

/// Turns MessagePack into `Decodable` values, however the bytes came about.
///
/// The structure of all bytes is checked first (lengths, depth, 0xc1, nothing left over); then each
/// value is read straight from the bytes when the type asks for it, and no tree is built. Keys may be
/// strings or integers, in any order. Any width of integer is taken for any integer type that holds
/// the number, either float for either float type (a `Float` rounds), and integers for floats that
/// hold them exactly. Keys and text that nobody asks for are not looked into, except that a map that
/// is decoded by keys must have each key once, in UTF-8.
public struct MessagePackDecoder: Sendable {
    /// Handed to every `init(from:)`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// A decoder without user info.
    public init() {}

    /// Decodes exactly one value.
    public func decode<T: Decodable>(
        _ type: T.Type, from bytes: [UInt8]
    ) throws(MessagePackError) -> T {
        try bytes.withUnsafeBufferPointer { buffer throws(MessagePackError) in
            try decode(type, from: UnsafeRawBufferPointer(buffer))
        }
    }

    /// Decodes exactly one value; offsets in errors count from the start of the slice.
    public func decode<T: Decodable>(
        _ type: T.Type, from bytes: ArraySlice<UInt8>
    ) throws(MessagePackError) -> T {
        try bytes.withUnsafeBufferPointer { buffer throws(MessagePackError) in
            try decode(type, from: UnsafeRawBufferPointer(buffer))
        }
    }

    /// Decodes exactly one value from memory that is only read, and not kept.
    public func decode<T: Decodable>(
        _ type: T.Type, from bytes: UnsafeRawBufferPointer
    ) throws(MessagePackError) -> T {
        var structure = MessagePackReader(bytes)
        try structure.skip()
        try structure.finish()
        let input = DecodingInput.make(bytes, userInfo)
        // A container kept by the value beyond this call must not reach the memory any more.
        defer { input.end() }
        var offset = 0
        return try input.value(type, at: &offset, parent: nil, key: nil)
    }
}

/// The bytes of one run of a decoder, shared by all its steps.
///
/// Why a `ManagedBuffer` without elements: a pointer to its header is free of the run-time check for
/// overlapping access that stored properties of a class get.
final class DecodingInput: ManagedBuffer<DecodingInput.Header, UInt8> {
    struct Header {
        var bytes: UnsafeRawBufferPointer
        let userInfo: [CodingUserInfoKey: any Sendable]
    }

    static func make(
        _ bytes: UnsafeRawBufferPointer, _ userInfo: [CodingUserInfoKey: any Sendable]
    ) -> DecodingInput {
        let buffer = create(minimumCapacity: 0) { _ in Header(bytes: bytes, userInfo: userInfo) }
        // `create` is documented to give an instance of the class it is called on.
        return unsafeDowncast(buffer, to: DecodingInput.self)
    }

    private var state: Header {
        @inline(__always) _read { yield withUnsafeMutablePointerToHeader { $0 }.pointee }
        @inline(__always) _modify { yield &withUnsafeMutablePointerToHeader { $0 }.pointee }
    }

    var bytes: UnsafeRawBufferPointer { state.bytes }
    var userInfo: [CodingUserInfoKey: any Sendable] { state.userInfo }

    /// Every read after this finds no bytes, and says so.
    func end() { state.bytes = UnsafeRawBufferPointer(start: nil, count: 0) }

    @inline(__always)
    func reader(at offset: Int) -> MessagePackReader { MessagePackReader(bytes, at: offset) }

    /// The step that a place stands for: the offset of a map's key, or `~index` in an array.
    func step(_ key: Int) -> MessagePackError.Step {
        if key < 0 { return .index(~key) }
        var reader = reader(at: key)
        if let text = try? reader.readString() { return .key(text) }
        return .key((try? reader.readInt64()).map { String($0) } ?? "?")
    }
}
