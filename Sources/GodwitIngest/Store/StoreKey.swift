// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What every store refuses as a key, so that none names a place outside.
enum StoreKey {
    /// As long as S3 takes them.
    static let bytes = 1024

    /// Throws ``StoreError/invalid(_:)`` for a key that is empty, too long, begins with a slash, holds a
    /// null byte, or has `.` or `..` as a part.
    static func check(_ key: String) throws(StoreError) {
        func refuse(_ reason: String) -> StoreError {
            .invalid("'\(String(key.prefix(80)).escapedForDisplay)' is no key: \(reason)")
        }
        if key.isEmpty { throw refuse("it is empty") }
        if key.utf8.count > bytes {
            throw refuse("it has \(key.utf8.count) bytes of at most \(bytes)")
        }
        if key.utf8.first == UInt8(ascii: "/") { throw refuse("it begins with a slash") }
        if key.utf8.contains(0) { throw refuse("it holds a null byte") }
        // Why by bytes: a letter may join with a mark that follows a point.
        for part in key.utf8.split(separator: UInt8(ascii: "/")) {
            if part.count <= 2, part.allSatisfy({ $0 == UInt8(ascii: ".") }) {
                throw refuse("a part of it is \(part.count == 1 ? "." : "..")")
            }
        }
    }
}
