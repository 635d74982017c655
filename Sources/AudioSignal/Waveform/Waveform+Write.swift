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
        try body(head(of: format, length: length, bits: bits).span)
        try writeBody(as: format, bits: bits, after: 0, body)
        if format == .json { try body(Self.tail.span) }
    }

    /// All of a file at once: for short ones.
    public func bytes(as format: FileFormat, bits: Int? = nil) -> [UInt8] {
        var all: [UInt8] = []
        write(as: format, bits: bits) { piece in
            piece.withUnsafeBufferPointer { all.append(contentsOf: $0) }
        }
        return all
    }

    /// What ends a JSON file.
    static let tail = Array("]}\n".utf8)

    /// What stands before the values.
    func head(of format: FileFormat, length: Int, bits: Int) -> [UInt8] {
        switch format {
        case .dat:
            let single = channels == 1
            var fields = [single ? 1 : 2, bits == 8 ? 1 : 0, sampleRate, samplesPerPixel, length]
            if !single { fields.append(channels) }
            return fields.flatMap { field in
                (0..<4).map { UInt8(truncatingIfNeeded: field >> (8 * $0)) }
            }
        case .json:
            return Array(
                """
                {"version":2,"channels":\(channels),"sample_rate":\(sampleRate),\
                "samples_per_pixel":\(samplesPerPixel),"bits":\(bits),"length":\(length),"data":[
                """.utf8)
        }
    }

    /// The values, of which so many were written before.
    func writeBody<E: Error>(
        as format: FileFormat, bits: Int, after written: Int,
        _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) {
        var text = TextBuffer()
        var first = written == 0
        for piece in pairs.pieces {
            for value in piece {
                // Toward zero: −255…255 become 0.
                let value = bits == 8 ? value / 256 : value
                switch format {
                case .dat:
                    text.add(UInt8(truncatingIfNeeded: value))
                    if bits == 16 { text.add(UInt8(truncatingIfNeeded: value >> 8)) }
                case .json:
                    if !first { text.add(UInt8(ascii: ",")) }
                    first = false
                    text.add(Int(value))
                    if text.bytes.count >= 1 << 16 {
                        try body(text.bytes.span)
                        text.clear()
                    }
                }
            }
            if !text.bytes.isEmpty { try body(text.bytes.span) }
            text.clear()
        }
    }
}
