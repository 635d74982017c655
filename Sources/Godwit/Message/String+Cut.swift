// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The longest beginning of at most `limit` bytes that ends between two characters' scalars.
    package func cut(to limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
