// SPDX-License-Identifier: Apache-2.0

/// Finds the peaks of a sound whose length is not known before its end, in 4 MB.
///
/// One or two channels stay as they are, more are mixed into one by their mean. Of two samples of the same
/// magnitude the positive one counts, so that the order of merging changes nothing. The edges of the bins
/// lie on a grid of g frames, g the smallest power of two with at most 2¹⁹ cells: exact to the frame up to
/// 12 s, to 1/32 of a bin beyond. A sound of fewer frames than bins has a bin for each frame.
/// Samples beyond ±1 are clamped: the player would shrink all the others for one of them.
public struct PeaksBuilder: SampleConsumer, Sendable {
    private let format: AudioFormat
    private let bins: Int
    private let mostCells: Int
    /// Of the result: 1 or 2.
    private let channels: Int
    /// The peaks of the cells that are full, the channels in turn.
    private var cells: [Float] = []
    /// Frames of a cell.
    private var grid = 1
    private var filled = 0
    private var frames = 0
    /// Of the cell that is being filled.
    private var pending = (Extremes(), Extremes())

    private struct Extremes: Sendable {
        var low: Float = 2
        var high: Float = -2

        var peak: Float { greater(low, high) }

        @inline(__always) mutating func widen(_ value: Float) { widen(value, value) }

        @inline(__always) mutating func widen(_ lower: Float, _ higher: Float) {
            if lower < low { low = lower }
            if higher > high { high = higher }
        }
    }

    public init(format: AudioFormat, bins: Int = 8_000) {
        self.init(format: format, bins: bins, cells: 1 << 19)
    }

    /// `cells` is even: two and two are merged when there are more.
    package init(format: AudioFormat, bins: Int, cells: Int) {
        precondition(format.channels >= 1 && bins >= 1 && cells >= 2 && cells % 2 == 0)
        self.format = format
        self.bins = bins
        mostCells = cells
        channels = format.channels <= 2 ? format.channels : 1
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            guard let base = samples.baseAddress else { return }
            let count = samples.count / format.channels
            var done = 0
            while done < count {
                if filled == 0, cells.count == mostCells * channels { merge() }
                let start = base + done * format.channels
                let part = min(grid - filled, count - done)
                switch format.channels {
                case 1 where part < 8:
                    for index in 0..<part { pending.0.widen(clean(start[index])) }
                case 2 where part < 8:
                    for index in 0..<part {
                        pending.0.widen(clean(start[2 * index]))
                        pending.1.widen(clean(start[2 * index + 1]))
                    }
                case 1, 2: scan(start, part * channels)
                default: mix(start, part)
                }
                (done, filled) = (done + part, filled + part)
                if filled == grid { emit() }
            }
            frames += count
        }
    }

    public mutating func finish() -> Peaks {
        if filled > 0 { emit() }
        let count = cells.count / channels
        let bins = min(bins, count)
        let peaks = (0..<channels).map { channel in
            (0..<bins).map { bin in
                (count * bin / bins..<count * (bin + 1) / bins).reduce(0) {
                    greater($0, cells[$1 * channels + channel])
                }
            }
        }
        return Peaks(sampleRate: format.sampleRate, frames: frames, peaks: peaks)
    }

    @inline(__always) private mutating func emit() {
        cells.append(pending.0.peak)
        if channels == 2 { cells.append(pending.1.peak) }
        pending = (Extremes(), Extremes())
        filled = 0
    }

    /// Makes one cell of each two.
    private mutating func merge() {
        for index in 0..<mostCells / 2 * channels {
            let first = index / channels * 2 * channels + index % channels
            cells[index] = greater(cells[first], cells[first + channels])
        }
        cells.removeLast(mostCells / 2 * channels)
        grid *= 2
    }

    /// One or two channels, eight samples or more: they alternate in the lanes.
    private mutating func scan(_ start: UnsafePointer<Float>, _ count: Int) {
        var lows = SIMD8<Float>(repeating: 2)
        var highs = SIMD8<Float>(repeating: -2)
        let raw = UnsafeRawPointer(start)
        let whole = count / 8 * 8
        for index in stride(from: 0, to: whole, by: 8) {
            let values = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
                .clamped(-1, 1)
            lows.replace(with: values, where: values .< lows)
            highs.replace(with: values, where: values .> highs)
        }
        for lane in 0..<8 {
            if channels == 1 || lane % 2 == 0 {
                pending.0.widen(lows[lane], highs[lane])
            } else {
                pending.1.widen(lows[lane], highs[lane])
            }
        }
        for index in whole..<count {
            if channels == 1 || index % 2 == 0 {
                pending.0.widen(clean(start[index]))
            } else {
                pending.1.widen(clean(start[index]))
            }
        }
    }

    private mutating func mix(_ start: UnsafePointer<Float>, _ frames: Int) {
        for frame in 0..<frames {
            var sum = 0.0
            for channel in 0..<format.channels {
                sum += Double(clean(start[frame * format.channels + channel]))
            }
            pending.0.widen(Float(sum / Double(format.channels)))
        }
    }
}

/// The one of greater magnitude; the positive one of two equals.
@inline(__always) private func greater(_ one: Float, _ other: Float) -> Float {
    let (lower, higher) = one < other ? (one, other) : (other, one)
    return -lower > higher ? lower : higher
}

@inline(__always) private func clean(_ sample: Float) -> Float {
    sample.isNaN ? 0 : min(max(sample, -1), 1)
}
