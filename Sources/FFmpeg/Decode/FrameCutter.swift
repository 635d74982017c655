// SPDX-License-Identifier: Apache-2.0

/// Makes whole frames of Float of the bytes of a pipe, which come in pieces of any length.
///
/// Holds less than one frame between pieces, and one buffer that is used again and again.
package struct FrameCutter: Sendable {
    private let frameBytes: Int
    private var rest: [UInt8] = []
    private var samples: [Float] = []
    package private(set) var frames = 0

    package init(channels: Int) {
        frameBytes = channels * MemoryLayout<Float>.size
        rest.reserveCapacity(frameBytes)
    }

    /// Hands on the whole frames of what is left over and `bytes` together; nothing if there are none.
    ///
    /// The samples are little-endian, as is every machine we run on.
    package mutating func add(_ bytes: RawSpan, _ consume: (Span<Float>) throws -> Void) rethrows {
        let total = rest.count + bytes.byteCount
        let whole = total - total % frameBytes
        guard whole > 0 else {
            bytes.withUnsafeBytes { rest.append(contentsOf: $0) }
            return
        }
        let count = whole / MemoryLayout<Float>.size
        if samples.count < count {
            samples.append(contentsOf: repeatElement(0, count: count - samples.count))
        }
        bytes.withUnsafeBytes { source in
            samples.withUnsafeMutableBytes { target in
                let taken = whole - rest.count
                rest.withUnsafeBytes { target.copyMemory(from: $0) }
                UnsafeMutableRawBufferPointer(rebasing: target[rest.count...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<taken]))
                rest.removeAll(keepingCapacity: true)
                rest.append(contentsOf: source[taken...])
            }
        }
        frames += whole / frameBytes
        try consume(samples.span.extracting(0..<count))
    }

    /// Whether the last frame is missing a part.
    package var isBroken: Bool { !rest.isEmpty }
}
