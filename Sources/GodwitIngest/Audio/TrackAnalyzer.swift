// SPDX-License-Identifier: Apache-2.0
public import AudioSignal
public import FFmpeg

/// Finds out what can be heard and read of a track: format and tags, loudness, silence, clipping, levels,
/// tempo, key, fingerprint, and how whole the file is. All in one pass over one decode, but for the
/// fingerprint, which ffmpeg makes of the first two minutes.
public struct TrackAnalyzer: ListeningTask {
    public static let name = "analysis"
    public static let version = 1

    public struct Output: Codable, Sendable, Hashable {
        public var media: ResultDocument.Media
        public var loudness: Loudness
        /// Nil: too short or without a beat to tell.
        public var tempo: Tempo?
        /// Nil: too short or without tones to tell.
        public var key: KeyEstimate?
        public var silence: [TimeSpan]
        public var clipping: Clipping
        public var levels: LevelReport
        /// What the decoder gave up on; what it held is missing.
        public var decodeErrors: Int
        public var fingerprint: String?
        public var toolVersions: [String: String]

        enum CodingKeys: String, CodingKey {
            case media, loudness, tempo, key, silence, clipping, levels, fingerprint
            case decodeErrors = "decode_errors"
            case toolVersions = "tool_versions"
        }
    }

    public struct Heard: Sendable {
        var loudness: Loudness
        var tempo: Tempo?
        var key: KeyEstimate?
        var silence: [TimeSpan]
        var clipping: Clipping
        var levels: LevelReport
    }

    public struct Listener: SampleConsumer, Sendable {
        var loudness: LoudnessMeter
        var tempo: TempoEstimator
        var key: KeyEstimator
        var silence: SilenceFinder
        var clipping: ClippingCounter
        var levels: LevelMeter

        public init(format: AudioFormat) {
            loudness = LoudnessMeter(format: format)
            tempo = TempoEstimator(format: format)
            key = KeyEstimator(format: format)
            silence = SilenceFinder(format: format)
            clipping = ClippingCounter(format: format)
            levels = LevelMeter(format: format)
        }

        public mutating func add(_ samples: Span<Float>) {
            loudness.add(samples)
            tempo.add(samples)
            key.add(samples)
            silence.add(samples)
            clipping.add(samples)
            levels.add(samples)
        }

        public mutating func finish() -> Heard {
            Heard(
                loudness: loudness.finish(), tempo: tempo.finish(), key: key.finish(),
                silence: silence.finish(), clipping: clipping.finish(), levels: levels.finish())
        }
    }

    public init() {}

    public func listener(for media: MediaInfo) throws -> Listener { Listener(format: media.format) }

    public func output(
        of heard: Heard, _ report: DecodeReport, _ track: Track, in work: Workspace
    ) async throws -> Output {
        let output = Output(
            heard, try await work.media(), report, fingerprint: try await work.fingerprint(),
            toolVersions: work.toolVersions)
        var document = ResultDocument(
            input: ResultDocument.Input(size: track.size, sha256: work.inputHash))
        document.take(output)
        _ = try await work.emit(try StableJSON.bytes(of: document), as: "analysis.json")
        return output
    }
}

extension TrackAnalyzer.Output {
    package init(
        _ heard: TrackAnalyzer.Heard, _ media: MediaInfo, _ report: DecodeReport,
        fingerprint: String?, toolVersions: [String: String]
    ) {
        self.media = ResultDocument.Media(media, report)
        loudness = heard.loudness.rounded
        tempo = heard.tempo?.rounded
        key = heard.key?.rounded
        silence = heard.silence.map {
            TimeSpan(start: Rounded.to(3, $0.start), end: Rounded.to(3, $0.end))
        }
        clipping = heard.clipping
        levels = heard.levels
        decodeErrors = report.errors
        self.fingerprint = fingerprint
        self.toolVersions = toolVersions
    }
}

extension Loudness {
    var rounded: Loudness {
        Loudness(
            integrated: Rounded.to(3, integrated), range: Rounded.to(3, range),
            truePeak: Rounded.to(3, truePeak), momentaryMax: Rounded.to(3, momentaryMax),
            shortTermMax: Rounded.to(3, shortTermMax))
    }
}

extension Tempo {
    var rounded: Tempo {
        Tempo(
            bpm: Rounded.to(3, bpm), confidence: Rounded.to(3, confidence),
            alternatives: alternatives.map { Rounded.to(3, $0) })
    }
}

extension KeyEstimate {
    var rounded: KeyEstimate {
        KeyEstimate(
            key: key, scale: scale, camelot: camelot, strength: Rounded.to(4, strength),
            runnerUp: runnerUp)
    }
}
