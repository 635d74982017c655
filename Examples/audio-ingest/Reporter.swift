// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Godwit
import GodwitIngest
import Synchronization

/// Gathers what becomes of tracks, and says it as it happens.
final class Reporter: Sendable {
    /// Why the last try of a track failed.
    private let failures = Mutex<[Track: String]>([:])
    private let isQuiet: Bool
    /// Lines of JSON on standard output, one for each event.
    private let tellsEvents: Bool

    init(isQuiet: Bool, tellsEvents: Bool = false) {
        self.isQuiet = isQuiet
        self.tellsEvents = tellsEvents
    }

    func failure(of track: Track) -> String? { failures.withLock { $0[track] } }

    func note(_ event: PipelineEvent) {
        let name = shown(event.track.key)
        let said: String
        var failure: String?
        switch event.outcome {
        case .began: said = "began"
        case .done(let made, _):
            said = made.isEmpty ? "stored already" : "made \(made.joined(separator: ", "))"
        case .gone(let reason):
            said = "gone: \(reason)"
            failure = said
        case .failed(let word, let reason, let isFinal):
            failure = "\(word): \(reason)"
            said = "\(word): \(reason)\(isFinal ? " (dead letter)" : ", tried again")"
        }
        if said != "began" { failures.withLock { $0[event.track] = failure } }
        if tellsEvents { tell("\(event.stage) \(name) \(said)") }
        if !isQuiet, said != "began" { say("  \(event.stage)  \(name)  \(said)") }
    }
}

/// Text from outside, made harmless to print, and no longer than a line or two.
func shown(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(200))).escapedForDisplay
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
