// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Godwit
import GodwitIngest
import Synchronization

/// Gathers what becomes of tracks, and says it as it happens.
final class Reporter: Sendable {
    struct Fate: Sendable {
        var failure: String?
        var isFinal = false
        var made: [String] = []
        var found: [String] = []
        var isPublished = false
    }

    private let fates = Mutex<[Track: Fate]>([:])
    private let isQuiet: Bool
    /// Lines of JSON on standard output, one for each event.
    private let tellsEvents: Bool

    init(isQuiet: Bool, tellsEvents: Bool = false) {
        self.isQuiet = isQuiet
        self.tellsEvents = tellsEvents
    }

    func fate(of track: Track) -> Fate? { fates.withLock { $0[track] } }

    func note(_ event: PipelineEvent) {
        let stage = "\(event.stage)"
        var said: String
        fates.withLock { fates in
            var fate = fates[event.track] ?? Fate()
            switch event.outcome {
            case .began: break
            case .done(let made, let found):
                fate.made += made
                fate.found += found
                fate.failure = nil
                if stage == "audio.publish" { fate.isPublished = true }
            case .gone(let reason):
                fate.failure = "gone: \(reason)"
                fate.isFinal = true
            case .failed(let word, let reason, let isFinal):
                fate.failure = "\(word): \(reason)"
                fate.isFinal = isFinal
            }
            fates[event.track] = fate
        }
        let name = shown(event.track.key)
        switch event.outcome {
        case .began: said = "began"
        case .done(let made, _):
            said = made.isEmpty ? "stored already" : "made \(made.joined(separator: ", "))"
        case .gone(let reason): said = "gone: \(reason)"
        case .failed(let word, let reason, let isFinal):
            said = "\(word): \(reason)\(isFinal ? " (dead letter)" : ", tried again")"
        }
        if tellsEvents { tell("\(stage) \(name) \(said)") }
        if !isQuiet, said != "began" { say("  \(stage)  \(name)  \(said)") }
    }
}

/// Text from outside, made harmless to print.
func shown(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(200) {
        switch scalar.value {
        case ..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
            shown += "\\u{\(String(scalar.value, radix: 16))}"
        default: shown.unicodeScalars.append(scalar)
        }
    }
    return shown
}

extension ResultDocument {
    /// The analysis in a few words.
    var summary: String {
        var parts: [String] = []
        if let media {
            let whole = Int(media.duration.rounded())
            parts.append("\(whole / 60):\(whole % 60 < 10 ? "0" : "")\(whole % 60)")
            parts.append("\(media.codec) \(media.sampleRate) Hz")
        }
        parts.append(
            loudness?.integrated.map { String(format: "%.1f LUFS", $0) } ?? "silent")
        if let tempo { parts.append(String(format: "%.1f BPM", tempo.bpm)) }
        if let key { parts.append("\(key.key) \(key.scale.rawValue) (\(key.camelot))") }
        return parts.joined(separator: "  ")
    }
}
