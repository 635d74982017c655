// SPDX-License-Identifier: Apache-2.0
import MessagePack

/// Turns jobs into payloads and back.
public protocol Codec: Sendable {
    /// What the payload is marked as, so that any worker can choose how to read it.
    var contentType: ContentType { get }

    func encode<Value: Encodable>(_ value: Value) throws -> [UInt8]

    /// Reads a payload in place; the buffer is only good during the call.
    func decode<Value: Decodable>(
        _ type: Value.Type, from payload: UnsafeRawBufferPointer
    ) throws -> Value
}

/// What a payload is.
public enum ContentType: Sendable, Hashable {
    case messagePack
    case json
    case bytes
    case other(String)

    /// The media type.
    public var text: String {
        switch self {
        case .messagePack: "application/vnd.msgpack"
        case .json: "application/json"
        case .bytes: "application/octet-stream"
        case .other(let text): text
        }
    }
}

/// MessagePack, the default: small, fast, and readable from every language.
public struct MessagePackCodec: Codec {
    private let encoder = MessagePackEncoder()
    private let decoder = MessagePackDecoder()

    public init() {}

    public var contentType: ContentType { .messagePack }

    public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        try encoder.encode(value)
    }

    public func decode<Value: Decodable>(
        _ type: Value.Type, from payload: UnsafeRawBufferPointer
    ) throws -> Value {
        try decoder.decode(type, from: payload)
    }
}
