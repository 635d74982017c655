// SPDX-License-Identifier: Apache-2.0

extension Waveform {
    /// The two kinds of file that players and audiowaveform read.
    public enum FileFormat: String, Sendable, Hashable, Codable, CaseIterable {
        /// Binary, little-endian: version 1 for one channel, version 2 for more.
        case dat
        /// One line, version 2.
        case json
    }

    /// Hands out the bytes of a file in pieces of about 64 KiB, in order.
    ///
    /// Repeated, it hands out the same again. What `body` throws ends it. Nothing of the file is
    /// kept, so memory does not grow with it.
    public func write<E: Error>(
        as format: FileFormat, bits: Int? = nil, _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) {
        let bits = bits ?? self.bits
        precondition(bits == 8 || bits == 16, "a value has 8 or 16 bits")
        switch format {
        case .dat: try writeBinary(bits, body)
        case .json: try writeText(bits, body)
        }
    }

    /// All of a file at once: for short ones.
    public func bytes(as format: FileFormat, bits: Int? = nil) -> [UInt8] {
        var all: [UInt8] = []
        write(as: format, bits: bits) { piece in
            piece.withUnsafeBufferPointer { all.append(contentsOf: $0) }
        }
        return all
    }

    private func writeBinary<E: Error>(
        _ bits: Int, _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) {
        let single = channels == 1
        var buffer: [UInt8] = []
        buffer.reserveCapacity(1 << 16)
        func field(_ value: Int) {
            for shift in stride(from: 0, to: 32, by: 8) {
                buffer.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
        for value in [single ? 1 : 2, bits == 8 ? 1 : 0, sampleRate, samplesPerPixel, length] {
            field(value)
        }
        if !single { field(channels) }
        for piece in pairs.pieces {
            for value in piece {
                if bits == 8 {
                    buffer.append(UInt8(bitPattern: Int8(value / 256)))
                } else {
                    buffer.append(UInt8(truncatingIfNeeded: value))
                    buffer.append(UInt8(truncatingIfNeeded: value >> 8))
                }
            }
            try body(buffer.span)
            buffer.removeAll(keepingCapacity: true)
        }
        if !buffer.isEmpty { try body(buffer.span) }
    }

    private func writeText<E: Error>(
        _ bits: Int, _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) {
        var text = TextBuffer()
        text.add(
            "{\"version\":2,\"channels\":\(channels),\"sample_rate\":\(sampleRate),"
                + "\"samples_per_pixel\":\(samplesPerPixel),\"bits\":\(bits),\"length\":\(length),"
                + "\"data\":[")
        var first = true
        for piece in pairs.pieces {
            for value in piece {
                if !first { text.add(UInt8(ascii: ",")) }
                first = false
                text.add(Int(bits == 8 ? value / 256 : value))
                if text.bytes.count >= 1 << 16 {
                    try body(text.bytes.span)
                    text.clear()
                }
            }
        }
        text.add("]}\n")
        try body(text.bytes.span)
    }
}
