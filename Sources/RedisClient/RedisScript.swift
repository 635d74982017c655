// SPDX-License-Identifier: Apache-2.0

/// A Lua script and the name the server knows it by.
///
/// The name is the SHA-1 of the source, computed here: a script changed by one byte is another
/// script, so two versions of a program never overwrite each other.
public struct RedisScript: Sendable, Hashable {
    /// What errors and logs call it.
    public let name: String
    /// The Lua text, as it goes to the server.
    public let source: String
    /// The 40 hexadecimal digits for EVALSHA.
    public let sha: String

    /// Makes a script and computes its digest, once.
    public init(name: String, source: String) {
        self.name = name
        self.source = source
        sha = SHA1.hex(Array(source.utf8))
    }
}
