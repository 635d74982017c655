// SPDX-License-Identifier: Apache-2.0

/// Cuts sound into blocks of the same length, whatever the pieces in which it came.
///
/// Why: a pipe hands over as much as there is, and sums of floating point numbers depend on where they
/// are cut; so the same file would give another last digit in each run, and a result's bytes another hash.
package struct EvenBlocks {
    static let frames = 4096

    private var block: [Float]
    private var filled = 0

    package init(channels: Int) {
        block = Array(repeating: 0, count: Self.frames * max(1, channels))
    }

    package mutating func add(
        _ samples: Span<Float>, _ consume: (Span<Float>) throws -> Void
    ) rethrows {
        var taken = 0
        while taken < samples.count {
            let count = min(block.count - filled, samples.count - taken)
            for index in 0..<count { block[filled + index] = samples[taken + index] }
            filled += count
            taken += count
            if filled == block.count {
                try consume(block.span)
                filled = 0
            }
        }
    }

    /// Hands on what is left.
    package mutating func finish(_ consume: (Span<Float>) throws -> Void) rethrows {
        guard filled > 0 else { return }
        try consume(block.span.extracting(0..<filled))
        filled = 0
    }
}
