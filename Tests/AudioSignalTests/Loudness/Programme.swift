// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation

/// A synthesised programme that is measured while it is made.
struct Programme {
    let format: AudioFormat
    var meter: LoudnessMeter
    /// Asked after every piece of at most 10 ms, with the seconds played so far.
    var watch: ((LoudnessMeter, Double) -> Void)?
    private(set) var frames = 0

    /// The rates that every case is played at.
    static let rates = [44_100, 48_000, 96_000, 69_313]

    init(
        rate: Int, channels: Int = 2, layout: [AudioFormat.Channel] = [], truePeak: Bool = false,
        watch: ((LoudnessMeter, Double) -> Void)? = nil
    ) {
        format = AudioFormat(sampleRate: rate, channels: channels, samples: .float, layout: layout)
        meter = LoudnessMeter(format: format, truePeak: truePeak)
        self.watch = watch
    }

    /// A sine from phase 0 at one peak level in dBFS for all channels; −infinity is silence.
    mutating func tone(_ seconds: Double, _ level: Double, frequency: Double = 1000) {
        tone(seconds, [Double](repeating: level, count: format.channels), frequency: frequency)
    }

    /// A sine from phase 0, each channel at its own peak level in dBFS.
    mutating func tone(_ seconds: Double, _ levels: [Double], frequency: Double = 1000) {
        let gains = levels.map { pow(10, $0 / 20) }
        let step = 2 * Double.pi * frequency / Double(format.sampleRate)
        var sine = 0.0
        play(Int((seconds * Double(format.sampleRate)).rounded())) { frame, channel in
            if channel == 0 { sine = sin(step * Double(frame)) }
            return Float(gains[channel] * sine)
        }
    }

    mutating func silence(_ seconds: Double) { tone(seconds, -.infinity) }

    mutating func play(_ count: Int, _ sample: (_ frame: Int, _ channel: Int) -> Float) {
        let piece = max(1, format.sampleRate / 100)
        var buffer: [Float] = []
        var frame = 0
        while frame < count {
            buffer.removeAll(keepingCapacity: true)
            for _ in 0..<min(piece, count - frame) {
                for channel in 0..<format.channels { buffer.append(sample(frame, channel)) }
                frame += 1
            }
            meter.add(buffer.span)
            frames += buffer.count / format.channels
            watch?(meter, Double(frames) / Double(format.sampleRate))
        }
    }

    mutating func finish() -> Loudness { meter.finish() }
}

/// What a meter says of samples in one piece.
func loudness(
    _ samples: [Float], rate: Int = 48_000, channels: Int = 1, layout: [AudioFormat.Channel] = []
) -> Loudness {
    let format = AudioFormat(
        sampleRate: rate, channels: channels, samples: .float, layout: layout)
    var meter = LoudnessMeter(format: format)
    meter.add(samples.span)
    return meter.finish()
}

extension Double? {
    /// Whether there is a figure, not further than `tolerance` from `expected`.
    func isNear(_ expected: Double, _ tolerance: Double = 0.1) -> Bool {
        distance(to: expected) <= tolerance
    }

    /// How far the figure is from `expected`; infinitely when there is none.
    func distance(to expected: Double) -> Double {
        guard let self else { return .infinity }
        return self.isNaN ? .infinity : abs(self - expected)
    }

    /// Whether a true peak is within EBU Tech 3341's +0.2/−0.4 dB.
    func isPeak(_ expected: Double) -> Bool {
        guard let self else { return false }
        return self <= expected + 0.2 && self >= expected - 0.4
    }
}
