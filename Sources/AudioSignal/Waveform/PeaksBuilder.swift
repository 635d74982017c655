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
    /// The peaks of the cells that are full, for each channel of the result.
    private var cells: [[Float]]
    /// Frames of a cell.
    private var grid = 1
    private var filled = 0
    private var frames = 0
    private var low: [Float]
    private var high: [Float]

    public init(format: AudioFormat, bins: Int = 8_000) {
        self.init(format: format, bins: bins, cells: 1 << 19)
    }

    /// `cells` is even: two and two are merged when there are more.
    package init(format: AudioFormat, bins: Int, cells: Int) {
        precondition(format.channels >= 1 && bins >= 1 && cells >= 2 && cells % 2 == 0)
        self.format = format
        self.bins = bins
        mostCells = cells
        let channels = format.channels <= 2 ? format.channels : 1
        self.cells = Array(repeating: [], count: channels)
        low = Array(repeating: 2, count: channels)
        high = Array(repeating: -2, count: channels)
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            guard let base = samples.baseAddress else { return }
            let count = samples.count / format.channels
            var done = 0
            while done < count {
                if filled == 0, cells[0].count == mostCells { merge() }
                let part = min(grid - filled, count - done)
                if format.channels <= 2 {
                    scan(base + done * format.channels, part * format.channels)
                } else {
                    mix(base + done * format.channels, part)
                }
                (done, filled) = (done + part, filled + part)
                if filled == grid { emit() }
            }
            frames += count
        }
    }

    public mutating func finish() -> Peaks {
        if filled > 0 { emit() }
        let count = cells[0].count
        let bins = min(bins, count)
        let peaks = cells.map { row in
            (0..<bins).map { bin in
                row[count * bin / bins..<count * (bin + 1) / bins].reduce(0, greater)
            }
        }
        return Peaks(sampleRate: format.sampleRate, frames: frames, peaks: peaks)
    }

    private mutating func emit() {
        for channel in cells.indices {
            cells[channel].append(greater(low[channel], high[channel]))
            (low[channel], high[channel]) = (2, -2)
        }
        filled = 0
    }

    /// Makes one cell of each two.
    private mutating func merge() {
        for channel in cells.indices {
            for index in 0..<mostCells / 2 {
                cells[channel][index] = greater(
                    cells[channel][2 * index], cells[channel][2 * index + 1])
            }
            cells[channel].removeLast(mostCells / 2)
        }
        grid *= 2
    }

    /// One or two channels: they alternate in the lanes.
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
        for lane in 0..<8 where whole > 0 {
            let channel = lane % low.count
            low[channel] = min(low[channel], lows[lane])
            high[channel] = max(high[channel], highs[lane])
        }
        for index in whole..<count {
            let channel = index % low.count
            let value = clean(start[index])
            low[channel] = min(low[channel], value)
            high[channel] = max(high[channel], value)
        }
    }

    private mutating func mix(_ start: UnsafePointer<Float>, _ frames: Int) {
        for frame in 0..<frames {
            var sum = 0.0
            for channel in 0..<format.channels {
                sum += Double(clean(start[frame * format.channels + channel]))
            }
            let value = Float(sum / Double(format.channels))
            low[0] = min(low[0], value)
            high[0] = max(high[0], value)
        }
    }
}

/// The one of greater magnitude; the positive one of two equals.
private func greater(_ one: Float, _ other: Float) -> Float {
    abs(one) == abs(other) ? max(one, other) : abs(one) > abs(other) ? one : other
}

@inline(__always) private func clean(_ sample: Float) -> Float {
    sample.isNaN ? 0 : min(max(sample, -1), 1)
}
