// SPDX-License-Identifier: Apache-2.0

/// Draws a waveform whose file is written while the sound still runs, in memory that does not grow.
///
/// What a `WaveformBuilder` would keep is handed out as the file's body, piece by piece. The head names the
/// length and so comes last: leave `headLength` bytes free in front of a .dat and put it there. The head of
/// a JSON file is as long as its numbers are: write the body elsewhere, then join the two.
public struct WaveformStream: Sendable {
    private var builder: WaveformBuilder
    private let file: Waveform.FileFormat
    private var handedOut = 0

    /// - Throws: `WaveformError.options`, also for the amplitude `auto`, which must know the end first.
    public init(
        format: AudioFormat, options: WaveformOptions = .init(), as file: Waveform.FileFormat
    ) throws(WaveformError) {
        if case .auto = options.amplitude {
            throw .options(
                "the amplitude auto needs the whole sound before the first value: give a factor, "
                    + "or build the waveform in memory")
        }
        builder = try WaveformBuilder(format: format, options: options)
        self.file = file
    }

    /// Bytes of a .dat's head: 20, or 24 for more channels than one.
    public var headLength: Int { builder.waveform.channels == 1 ? 20 : 24 }

    /// Takes whole frames, and hands out what the body has grown by when that is 32 Ki values or more.
    /// Where `body` throws, the file is lost: begin anew.
    public mutating func add<E: Error>(
        _ samples: Span<Float>, _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) {
        builder.add(samples)
        if builder.waveform.pairs.pieces.count > 1 { try drain(body) }
    }

    /// Hands out the rest of the body, and returns the head that belongs in front of it.
    public mutating func finish<E: Error>(
        _ body: (Span<UInt8>) throws(E) -> Void
    ) throws(E) -> [UInt8] {
        builder.waveform = builder.finish()
        try drain(body)
        if file == .json { try body(Waveform.tail.span) }
        let waveform = builder.waveform
        return waveform.head(
            of: file, length: handedOut / (2 * waveform.channels), bits: waveform.bits)
    }

    private mutating func drain<E: Error>(_ body: (Span<UInt8>) throws(E) -> Void) throws(E) {
        let waveform = builder.waveform
        try waveform.writeBody(as: file, bits: waveform.bits, after: handedOut, body)
        handedOut += waveform.pairs.count
        builder.waveform.pairs = PairStorage()
    }
}
