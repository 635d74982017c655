// SPDX-License-Identifier: Apache-2.0

/// An extension value: a type number and its bytes.
///
/// Types 0 to 127 belong to the application, negative ones to the format; -1 is the timestamp, and
/// is read as ``MessagePackTimestamp`` wherever a choice exists.
public struct MessagePackExtension: Sendable, Hashable {
    /// The type number, -128 to 127.
    public let type: Int8
    /// The bytes, as they stand in the message.
    public let bytes: [UInt8]

    /// Pairs a type number with bytes.
    public init(type: Int8, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}
