// SPDX-License-Identifier: Apache-2.0
import MessagePack

/// What a body holds: a MessagePack array of kind, content type, headers and payload.
///
///     [kind: str, contentType: 0 MessagePack · 1 JSON · 2 bytes · str, headers: map of str | nil, payload: bin]
///
/// Stores keep it as it is; only producers write it and only workers read it.
package struct Envelope: Sendable {
    package var kind: String
    package var contentType: ContentType
    package var headers: [String: String]
    package var payload: [UInt8]

    package init(_ body: [UInt8]) throws(EnvelopeError) {
        self = try Envelope.reading(body) { view throws(EnvelopeError) in try Envelope.make(view) }
    }

    private init(
        kind: String, contentType: ContentType, headers: [String: String], payload: [UInt8]
    ) {
        self.kind = kind
        self.contentType = contentType
        self.headers = headers
        self.payload = payload
    }

    /// Writes a body.
    package static func body(
        kind: Kind, contentType: ContentType, headers: [String: String], payload: [UInt8]
    ) -> [UInt8] {
        var writer = MessagePackWriter(capacity: payload.count + kind.name.utf8.count + 16)
        writer.writeArrayHeader(4)
        writer.writeString(kind.name)
        switch contentType {
        case .messagePack: writer.writeInt(0)
        case .json: writer.writeInt(1)
        case .bytes: writer.writeInt(2)
        case .other(let text): writer.writeString(text)
        }
        if headers.isEmpty {
            writer.writeNil()
        } else {
            writer.writeMapHeader(headers.count)
            for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
                writer.writeString(name)
                writer.writeString(value)
            }
        }
        writer.writeBinary(payload)
        return writer.bytes
    }

    /// Lends the parts of a body without copying them.
    package static func reading<R>(
        _ body: [UInt8], _ use: (EnvelopeView) throws(EnvelopeError) -> R
    ) throws(EnvelopeError) -> R {
        try body.withUnsafeBufferPointer { bytes throws(EnvelopeError) in
            try use(EnvelopeView(UnsafeRawBufferPointer(bytes)))
        }
    }

    fileprivate static func make(_ view: EnvelopeView) throws(EnvelopeError) -> Envelope {
        Envelope(
            kind: String(decoding: view.kind, as: UTF8.self), contentType: view.contentType,
            headers: try view.headers(), payload: [UInt8](view.payload))
    }
}

/// The parts of a body, in place; good only while the body is lent.
package struct EnvelopeView {
    package let kind: UnsafeRawBufferPointer
    package let contentType: ContentType
    package let payload: UnsafeRawBufferPointer
    private let bytes: UnsafeRawBufferPointer
    private let headersOffset: Int

    init(_ bytes: UnsafeRawBufferPointer) throws(EnvelopeError) {
        self.bytes = bytes
        do {
            var reader = MessagePackReader(bytes)
            guard try reader.readArrayHeader() == 4 else {
                throw EnvelopeError(reason: "it is not an array of four")
            }
            kind = try reader.readStringBytes()
            if try reader.peek() == .string {
                contentType = .other(try reader.readString())
            } else {
                switch try reader.readInt() {
                case 0: contentType = .messagePack
                case 1: contentType = .json
                case 2: contentType = .bytes
                case let number: contentType = .other("unknown/\(number)")
                }
            }
            headersOffset = reader.offset
            try reader.skip()
            payload = try reader.readBinaryBytes()
            try reader.finish()
        } catch let error as EnvelopeError {
            throw error
        } catch {
            throw EnvelopeError(reason: "\(error)")
        }
    }

    package func headers() throws(EnvelopeError) -> [String: String] {
        do {
            var reader = MessagePackReader(
                UnsafeRawBufferPointer(rebasing: bytes[headersOffset...]))
            if try reader.readNilIfPresent() { return [:] }
            var headers: [String: String] = [:]
            for _ in 0..<(try reader.readMapHeader()) {
                let name = try reader.readString()
                headers[name] = try reader.readString()
            }
            return headers
        } catch {
            throw EnvelopeError(reason: "\(error)")
        }
    }
}

/// A body that is not an envelope: made by something else, or damaged. The bytes are kept.
public struct EnvelopeError: Error, Sendable, CustomStringConvertible {
    public let reason: String

    public var description: String {
        "the message's body is not a Godwit envelope: \(reason). Its bytes are kept."
    }
}
