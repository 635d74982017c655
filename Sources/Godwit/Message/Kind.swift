// SPDX-License-Identifier: Apache-2.0

/// The wire name of a kind of job, and its CRC-32, by which stores group what waits.
///
/// A worker takes only kinds it knows (I11). Names follow the rules of queue names.
public struct Kind: Sendable, Hashable {
    public let name: String
    public let hash: UInt32

    /// Throws ``InvalidName`` when the text is not a name.
    public init(_ name: String) throws(InvalidName) {
        try InvalidName.check(name, as: .kind)
        self.name = name
        self.hash = CRC32.checksum(name.utf8)
    }

    public static func == (left: Kind, right: Kind) -> Bool { left.name == right.name }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

extension Kind: CustomStringConvertible, ExpressibleByStringLiteral {
    public var description: String { name }

    /// A literal in the source: a wrong one is the programmer's error and stops the program.
    public init(stringLiteral text: String) {
        do {
            try self.init(text)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

/// CRC-32 as in ISO 3309 and zlib (reflected polynomial 0xEDB88320).
package enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
        }
    }

    package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { value, byte in value >> 8 ^ table[Int((value ^ UInt32(byte)) & 0xFF)] }
    }
}
