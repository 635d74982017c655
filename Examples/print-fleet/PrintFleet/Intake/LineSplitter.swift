// SPDX-License-Identifier: Apache-2.0

/// Cuts a run of bytes into lines however it is fed, and holds no more of a line than may be read.
///
/// A pure value: the same bytes give the same lines, in whatever pieces they come.
package struct LineSplitter: Sendable {
    /// A line without its `\n`, or the beginning of one that is too long.
    package struct Line {
        /// Counted from 1.
        package let number: Int
        /// Good only during the call; at most ``Reading/maxLine`` bytes and one.
        package let bytes: UnsafeRawBufferPointer
        /// How long the line was in all.
        package let length: Int
    }

    private var rest: [UInt8] = []
    /// Bytes of the line under way, also those that were not kept.
    private var length = 0
    private(set) package var number = 0

    package init() {}

    private static let kept = Reading.maxLine + 1

    /// Takes the next bytes and gives out each line that ends in them.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ give: (Line) throws -> Void)
        rethrows
    {
        var start = 0
        while start < bytes.count {
            let part = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let end = part.firstIndex(of: 0x0A) else { return keep(part) }
            let line = UnsafeRawBufferPointer(rebasing: part[..<end])
            start += end + 1
            number += 1
            if length == 0 {
                try give(
                    Line(
                        number: number,
                        bytes: UnsafeRawBufferPointer(rebasing: line.prefix(Self.kept)),
                        length: line.count))
            } else {
                keep(line)
                try giveRest(give)
            }
        }
    }

    /// The end of the input: a line without `\n` is a line too.
    package mutating func finish(_ give: (Line) throws -> Void) rethrows {
        guard length > 0 else { return }
        number += 1
        try giveRest(give)
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        length += bytes.count
        rest.append(contentsOf: bytes.prefix(Self.kept - rest.count))
    }

    private mutating func giveRest(_ give: (Line) throws -> Void) rethrows {
        defer {
            rest.removeAll(keepingCapacity: true)
            length = 0
        }
        let (number, length) = (number, length)
        try rest.withUnsafeBytes { try give(Line(number: number, bytes: $0, length: length)) }
    }
}
