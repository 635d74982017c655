// SPDX-License-Identifier: Apache-2.0

extension MessagePackReader {
    /// Passes over the next value, however much it holds, and checks its structure on the way.
    ///
    /// Lengths, 0xc1 and depth are checked; the text of strings, the content of extensions and
    /// repeated keys are not looked at. Reserves nothing; linear in the bytes passed.
    public mutating func skip() throws(MessagePackError) { try skip(1, depth: 0) }

    /// Passes over `count` values that stand inside `depth` open maps and arrays.
    ///
    /// Recursion ends at the depth limit, so the stack it takes is bounded.
    mutating func skip(_ count: Int, depth: Int) throws(MessagePackError) {
        var left = count
        while left > 0 {
            left &-= 1
            let first = try peekByte()
            switch first {
            case 0x00...0x7f, 0xe0...0xff, 0xc0, 0xc2, 0xc3: position &+= 1
            case 0xa0...0xbf: _ = try take(Int(first & 0x1f), after: 1)
            case 0xcc, 0xd0: _ = try take(1, after: 1)
            case 0xcd, 0xd1: _ = try take(2, after: 1)
            case 0xca, 0xce, 0xd2: _ = try take(4, after: 1)
            case 0xcb, 0xcf, 0xd3: _ = try take(8, after: 1)
            case 0xc4, 0xd9: _ = try take(sizedBy: UInt8.self)
            case 0xc5, 0xda: _ = try take(sizedBy: UInt16.self)
            case 0xc6, 0xdb: _ = try take(sizedBy: UInt32.self)
            case 0xc7, 0xc8, 0xc9, 0xd4...0xd8: _ = try readExtensionBytes()
            case 0x80...0x8f, 0xde, 0xdf:
                try checkDepth(depth)
                // A map of n entries fits in memory, so 2n does not overflow.
                let count = try readMapHeader()
                try skip(count &* 2, depth: depth &+ 1)
            case 0x90...0x9f, 0xdc, 0xdd:
                try checkDepth(depth)
                let count = try readArrayHeader()
                try skip(count, depth: depth &+ 1)
            default: throw .reservedByte(.init(offset: position))
            }
        }
    }

    @inline(__always)
    func checkDepth(_ depth: Int) throws(MessagePackError) {
        guard depth < Self.depthLimit else {
            throw .tooDeep(.init(offset: position), limit: Self.depthLimit)
        }
    }
}
