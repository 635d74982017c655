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
        try withSession(value) { [UInt8]($0) }
    }

    /// Encodes one value and appends it to `bytes`, which stay as they were if it throws.
    public func encode<T: Encodable>(
        _ value: T, into bytes: inout [UInt8]
    ) throws(MessagePackError) {
        try withSession(value) { bytes.append(contentsOf: $0) }
    }

    /// Encodes one value behind what `writer` holds already; nothing is added if it throws.
    public func encode<T: Encodable>(
        _ value: T, into writer: inout MessagePackWriter
    ) throws(MessagePackError) {
        let encoded = try encode(value)
        writer.append(encoded)
    }

    private func withSession<T: Encodable, R>(
        _ value: T, _ body: (UnsafeRawBufferPointer) -> R
    ) throws(MessagePackError) -> R {
        let outcome: Result<R, MessagePackError> = withUnsafeTemporaryAllocation(
            byteCount: 1008, alignment: 16
        ) { lent in
            let session = EncodingSession(
                writer: MessagePackWriter(lent: lent), integerKeys: keys == .integer,
                userInfo: userInfo, prefix: [], depth: 0)
            // A container kept by the value beyond this call must not reach the lent memory.
            defer { session.end() }
            do throws(MessagePackError) {
                try session.encodeRoot(value)
                return .success(session.writer.withUnsafeBytes(body))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
