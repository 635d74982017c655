// SPDX-License-Identifier: Apache-2.0

extension Waveform {
    /// What a file held, and what was odd about it.
    public struct Reading: Sendable, Hashable {
        public var waveform: Waveform
        /// Sentences for the reader: a length that is not the data's, a pixel that was cut off.
        public var warnings: [String]
    }

    /// Reads a waveform file of any origin: .dat of version 1 and 2, or JSON with or without `channels`.
    ///
    /// The bytes may be hostile: memory is bounded by their count, never by what they claim. A .dat may end
    /// early, or its length be wrong; the data that is there counts, with a warning.
    ///
    /// - Throws: `WaveformError.file` for another version, a sample rate below 1, fewer than 2 samples
    ///   per pixel, channels outside 1…24, a header that is cut off, or JSON that is none.
    public static func read(_ bytes: Span<UInt8>) throws(WaveformError) -> Reading {
        try bytes.withUnsafeBufferPointer { (bytes) throws(WaveformError) in
            let first = bytes.first { !JSONScanner.isSpace($0) }
            return first == UInt8(ascii: "{") ? try readText(bytes) : try readBinary(bytes)
        }
    }

    private static func readBinary(
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(WaveformError) -> Reading {
        func field(_ index: Int) throws(WaveformError) -> UInt32 {
            guard bytes.count >= 4 * index + 4 else {
                throw .file(
                    "the file ends after \(bytes.count) bytes, inside the header of a waveform: "
                        + "it was cut off, make it anew")
            }
            return (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << (8 * UInt32($1)) }
        }
        let version = Int(Int32(bitPattern: try field(0)))
        try check(version: version)
        let flags = try field(1)
        var waveform = try make(
            sampleRate: Int(Int32(bitPattern: try field(2))),
            samplesPerPixel: Int(Int32(bitPattern: try field(3))),
            channels: version == 1 ? 1 : Int(Int32(bitPattern: try field(5))),
            bits: flags & 1 == 1 ? 8 : 16)
        let length = Int(try field(4))
        let data = UnsafeBufferPointer(rebasing: bytes[(version == 1 ? 20 : 24)...])
        let pixelBytes = 2 * waveform.channels * waveform.bits / 8
        let whole = data.count / pixelBytes * pixelBytes
        if waveform.bits == 8 {
            for byte in data[..<whole] {
                waveform.pairs.append(Int16(Int8(bitPattern: byte)) * 256)
            }
        } else {
            for index in stride(from: 0, to: whole, by: 2) {
                waveform.pairs.append(
                    Int16(bitPattern: UInt16(data[index]) | UInt16(data[index + 1]) << 8))
            }
        }
        return waveform.reading(claimed: length, cut: whole < data.count)
    }

    private static func readText(
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(WaveformError) -> Reading {
        var scanner = JSONScanner(bytes)
        var fields: [String: Int] = [:]
        var data: PairStorage?
        try scanner.object { (scanner, key) throws(WaveformError) in
            switch key {
            case "version", "channels", "sample_rate", "samples_per_pixel", "bits", "length":
                guard fields.updateValue(try scanner.integer(), forKey: key) == nil else {
                    throw .file("the JSON of the waveform says \"\(key)\" twice: make it anew")
                }
            case "data":
                guard data == nil else {
                    throw .file("the JSON of the waveform says \"data\" twice: make it anew")
                }
                data = try scanner.row()
            default: try scanner.skip()
            }
        }
        func field(_ name: String) throws(WaveformError) -> Int {
            guard let value = fields[name] else {
                throw .file(
                    "the JSON lacks \"\(name)\", which every waveform has: is it a waveform file?")
            }
            return value
        }
        let version = try field("version")
        try check(version: version)
        let bits = try field("bits")
        guard bits == 8 || bits == 16 else {
            throw .file("the waveform claims \(bits) bits: a file has 8 or 16")
        }
        var waveform = try make(
            sampleRate: try field("sample_rate"), samplesPerPixel: try field("samples_per_pixel"),
            channels: version == 1 ? fields["channels"] ?? 1 : try field("channels"), bits: bits)
        guard var data else {
            throw .file("the JSON lacks \"data\", which every waveform has: is it a waveform file?")
        }
        let whole = data.count / (2 * waveform.channels) * 2 * waveform.channels
        let cut = whole < data.count
        data.cut(to: whole)
        if bits == 8 {
            var fits = true
            data.transform { value in
                fits = fits && Int8(exactly: value) != nil
                return value &* 256
            }
            guard fits else {
                throw .file(
                    "the waveform claims 8 bits and has values that need more: make it anew")
            }
        }
        waveform.pairs = data
        return waveform.reading(claimed: try field("length"), cut: cut)
    }

    private static func check(version: Int) throws(WaveformError) {
        guard version == 1 || version == 2 else {
            throw .file(
                "the file says version \(version), waveform files are of version 1 or 2: "
                    + "it is something else, or newer than this program")
        }
    }

    private static func make(
        sampleRate: Int, samplesPerPixel: Int, channels: Int, bits: Int
    ) throws(WaveformError) -> Waveform {
        guard sampleRate >= 1, sampleRate <= Int(Int32.max) else {
            throw .file("the waveform claims a sample rate of \(sampleRate) Hz: make it anew")
        }
        guard samplesPerPixel >= 2, samplesPerPixel <= Int(Int32.max) else {
            throw .file("the waveform claims \(samplesPerPixel) samples per pixel: make it anew")
        }
        guard channels >= 1, channels <= mostChannels else {
            throw .file(
                "the waveform claims \(channels) channels, a file has 1 to \(mostChannels): make it anew"
            )
        }
        return Waveform(
            sampleRate: sampleRate, samplesPerPixel: samplesPerPixel, channels: channels, bits: bits
        )
    }

    private func reading(claimed: Int, cut: Bool) -> Reading {
        var warnings: [String] = []
        if cut {
            warnings.append("the data ends in the middle of a pixel, which is left out")
        }
        if claimed != length {
            warnings.append(
                "the header says \(claimed) pixels and the data has \(length): the data counts")
        }
        return Reading(waveform: self, warnings: warnings)
    }
}
