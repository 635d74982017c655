// SPDX-License-Identifier: Apache-2.0
import MessagePack

/// Turns points or states into bytes and back.
public struct StreamCoding<Value: Sendable>: Sendable {
    /// What the bytes are, for those who find one among the dead letters.
    public var name: String
    public var encode: @Sendable (Value) throws -> [UInt8]
    /// Reads in place; the buffer is only good during the call.
    public var decode: @Sendable (UnsafeRawBufferPointer) throws -> Value

    public init(
        name: String, encode: @escaping @Sendable (Value) throws -> [UInt8],
        decode: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Value
    ) {
        self.name = name
        self.encode = encode
        self.decode = decode
    }
}

extension StreamCoding where Value: Codable {
    /// The default: small, fast, and readable from every language.
    public static var messagePack: StreamCoding {
        let encoder = MessagePackEncoder()
        let decoder = MessagePackDecoder()
        return StreamCoding(name: "msgpack") {
            try encoder.encode($0)
        } decode: {
            try decoder.decode(Value.self, from: $0)
        }
    }
}

/// What is remembered of a key beyond its window; begins empty.
///
/// Fields that are added later need a default, because states of the older shape are kept: give
/// them optional types.
public protocol StreamState: Codable, Sendable {
    init()
}

/// For streams whose handlers need only the window.
public struct NoState: StreamState {
    public init() {}
}
