// SPDX-License-Identifier: Apache-2.0

/// Turns `Encodable` values into MessagePack, each part in its smallest form.
///
/// `Date` becomes the timestamp extension, `Data` and `[UInt8]` become bin, `URL` a string; `nil`
/// properties are left out, as the compiler writes them. The same value gives the same bytes as
/// Python's `msgpack` gives for what both can say. Encoding twice gives the same bytes, except where
/// a type itself has no order (`Set`, `Dictionary`).
public struct MessagePackEncoder: Sendable {
    /// What a key of a map is written as.
    public enum Keys: Sendable {
        /// Always a string: `stringValue`.
        case text
        /// An integer where the key has an `intValue`, which is shorter; otherwise a string.
        case integer
    }

    /// What a key of a map is written as; decoders of this module read both.
    public var keys: Keys
    /// Handed to every `encode(to:)`.
    public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

    /// Writes keys as strings unless told otherwise.
    public init(keys: Keys = .text) { self.keys = keys }

    /// Encodes one value into bytes of its own.
    public func encode<T: Encodable>(_ value: T) throws(MessagePackError) -> [UInt8] {
        var bytes: [UInt8] = []
        try encode(value, into: &bytes)
        return bytes
    }

    /// Encodes one value and appends it to `bytes`, which stay as they were if it throws.
    public func encode<T: Encodable>(
        _ value: T, into bytes: inout [UInt8]
    ) throws(MessagePackError) {
        var failure: MessagePackError?
        withUnsafeTemporaryAllocation(byteCount: 1008, alignment: 16) { lent in
            let session = EncodingSession(
                writer: MessagePackWriter(lent: lent), integerKeys: keys == .integer,
                userInfo: userInfo, prefix: [], depth: 0)
            // A container kept by the value beyond this call must not reach the lent memory.
            defer { session.end() }
            do throws(MessagePackError) {
                try session.encodeRoot(value)
                session.writer.withUnsafeBytes { encoded in
                    if bytes.isEmpty { bytes = [UInt8](encoded) } else { bytes += encoded }
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Encodes one value behind what `writer` holds already; nothing is added if it throws.
    public func encode<T: Encodable>(
        _ value: T, into writer: inout MessagePackWriter
    ) throws(MessagePackError) {
        let encoded = try encode(value)
        writer.append(encoded)
    }
}
