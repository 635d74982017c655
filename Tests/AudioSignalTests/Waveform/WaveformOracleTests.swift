// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Testing

@Suite(.enabled(if: WaveformOracle.isHere, "needs python3"))
struct `Waveform beside its second computation` {
    private func kind(_ name: String) -> AudioFormat.Samples {
        switch name {
        case "float": .float
        case "lossy": .lossy
        case "deep": .integer(bits: 24)
        case "small": .integer(bits: 8)
        default: .integer(bits: 16)
        }
    }

    private func options(_ job: WaveformOracle.Job) -> WaveformOptions {
        WaveformOptions(
            zoom: .samplesPerPixel(job.zoom), bits: job.bits, splitChannels: job.split,
            amplitude: job.factor.map { .factor($0) } ?? .auto, skippedFrames: job.skip)
    }

    @Test func `the second computation gives the published vectors`() throws {
        #expect(try WaveformOracle.run([WaveformOracle.script, "--vectors"]) == 0)
    }

    @Test func `both give the same bytes for sounds of every kind`() throws {
        var dice = Dice(6)
        var jobs: [(WaveformOracle.Job, [Float])] = []
        var kinds: [AudioFormat.Samples] = []
        for name in ["integer", "deep", "small", "float", "lossy"] {
            for channels in [1, 2, 3, 4, 5, 8, 9] {
                for frames in [0, 1, 2, 7, 255, 256, 257, 3_000] {
                    let kind = kind(name)
                    var sound = dice.samples(frames * channels, kind)
                    // Some quiet, so that auto and 8 bits have something to do; integers stay such.
                    if Bool.random(using: &dice) { sound = sound.map { $0 / 128 } }
                    var job = WaveformOracle.Job()
                    job.kind = ["deep", "small"].contains(name) ? "integer" : name
                    job.channels = channels
                    job.rate = [8_000, 44_100, 192_000].randomElement(using: &dice) ?? 1
                    job.zoom = [2, 3, 100, 256, 257, 4_096].randomElement(using: &dice) ?? 2
                    job.split = Bool.random(using: &dice)
                    job.bits = Bool.random(using: &dice) ? 8 : 16
                    job.factor = [1, nil, 0.5, 3.7, 0].randomElement(using: &dice) ?? 1
                    job.form = Bool.random(using: &dice) ? "dat" : "json"
                    job.skip = [0, 0, 1, 300].randomElement(using: &dice) ?? 0
                    jobs.append((job, sound))
                    // Divided, 16-bit samples need more bits than 16.
                    kinds.append(name == "integer" || name == "small" ? .integer(bits: 24) : kind)
                }
            }
        }
        for (index, expected) in try WaveformOracle.answers(jobs).enumerated() {
            let (job, sound) = jobs[index]
            let waveform = try drawn(
                sound, rate: job.rate, channels: job.channels, kinds[index], options(job))
            #expect(
                waveform.bytes(as: job.form == "dat" ? .dat : .json) == expected,
                "\(job) \(sound.count / job.channels) frames")
        }
    }

    @Test func `both scale to the loudest alike, on one side of zero too`() throws {
        var dice = Dice(7)
        var jobs: [(WaveformOracle.Job, [Float])] = []
        for (low, high) in [
            (-900, 1_200), (5, 700), (-700, -5), (0, 0), (0, 9), (-9, 0), (-3, 32_767),
        ] {
            for (channels, split) in [(1, false), (2, true)] {
                for bits in [8, 16] {
                    var job = WaveformOracle.Job()
                    (job.channels, job.split, job.bits, job.factor) = (channels, split, bits, nil)
                    job.zoom = 16
                    jobs.append(
                        (
                            job,
                            (0..<1_000).map { _ in
                                Float(Int.random(in: low...high, using: &dice)) / 32_768
                            }
                        ))
                }
            }
        }
        for (index, expected) in try WaveformOracle.answers(jobs).enumerated() {
            let (job, sound) = jobs[index]
            let waveform = try drawn(
                sound, channels: job.channels, .integer(bits: 16), options(job))
            #expect(waveform.bytes(as: .dat) == expected, "\(job)")
        }
    }

    @Test func `both rescale alike, to zooms that are no multiple as well`() throws {
        var dice = Dice(8)
        var jobs: [(WaveformOracle.Job, [Float])] = []
        for _ in 0..<60 {
            var job = WaveformOracle.Job()
            job.zoom = Int.random(in: 2...40, using: &dice)
            job.coarser = job.zoom + Int.random(in: 0...90, using: &dice)
            job.channels = Int.random(in: 1...3, using: &dice)
            job.split = Bool.random(using: &dice)
            let frames = Int.random(in: 0...2_000, using: &dice)
            jobs.append((job, dice.samples(frames * job.channels, .integer(bits: 16))))
        }
        for (index, expected) in try WaveformOracle.answers(jobs).enumerated() {
            let (job, sound) = jobs[index]
            let fine = try drawn(sound, channels: job.channels, .integer(bits: 16), options(job))
            let coarse = try fine.rescaled(to: job.coarser ?? 0)
            #expect(coarse.bytes(as: .dat) == expected, "\(job)")
        }
    }

    @Test func `both find the same peaks`() throws {
        var dice = Dice(9)
        var jobs: [(WaveformOracle.Job, [Float])] = []
        for channels in [1, 2, 3, 6] {
            for frames in [0, 1, 5, 63, 64, 65, 128, 129, 1_000, 4_097] {
                var job = WaveformOracle.Job()
                (job.channels, job.form, job.bins, job.fine) = (channels, "peaks", 20, 64)
                job.rate = 8_000
                var sound = dice.samples(frames * channels, .lossy)
                if frames > 100 { sound[50] = .nan }
                jobs.append((job, sound))
            }
        }
        var long = WaveformOracle.Job()
        (long.channels, long.form) = (2, "peaks")
        jobs.append((long, dice.samples(2 * 600_001, .integer(bits: 16))))
        for (index, expected) in try WaveformOracle.answers(jobs).enumerated() {
            let (job, sound) = jobs[index]
            let format = AudioFormat(
                sampleRate: job.rate, channels: job.channels, samples: .lossy)
            var builder =
                job.fine == 64
                ? PeaksBuilder(format: format, bins: job.bins, cells: job.fine)
                : PeaksBuilder(format: format)
            let peaks = builder.consume(sound, channels: job.channels, pieces: 37)
            #expect(
                String(decoding: peaks.json(), as: UTF8.self)
                    == String(decoding: expected, as: UTF8.self),
                "\(job.channels) channels, \(sound.count / job.channels) frames")
        }
    }
}
