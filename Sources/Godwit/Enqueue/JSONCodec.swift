// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// JSON, for payloads that people or other programs read; dates as ISO 8601.
public struct JSONCodec: Codec {
    public init() {}

    public var contentType: ContentType { .json }

    public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return try [UInt8](encoder.encode(value))
    }

    public func decode<Value: Decodable>(
        _ type: Value.Type, from payload: UnsafeRawBufferPointer
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(type, from: Data(payload))
    }
}
