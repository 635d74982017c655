// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import FFmpeg
import Foundation
package import Godwit
import Synchronization

/// One run of one stage on one track: what its tasks share.
package final class StageWork: Sendable {
    /// As it stands in the message's checkpoint, so that operators see it.
    struct Note: Codable {
        var task: String
        var fraction: Double?
        var data: Data?
    }

    private struct State {
        var input: InputFile?
        var media: MediaInfo?
        var note: Note?
        var writtenAt: Timestamp?
    }

    package let shop: Workshop
    package let track: Track
    package let watch: ProgressWatch
    private let context: JobContext?
    private let state: Mutex<State>

    /// How often the fraction is written at most.
    static let noteInterval = Duration.seconds(5)
    static let mostCheckpoint = 2048

    package init(
        _ shop: Workshop, _ track: Track, _ context: JobContext?, _ watch: ProgressWatch
    ) {
        self.shop = shop
        self.track = track
        self.context = context
        self.watch = watch
        let note = context?.checkpoint.flatMap { try? StableJSON.decode(Note.self, from: $0) }
        state = Mutex(State(note: note))
    }

    var attempt: Int { context?.attempt ?? 1 }

    // MARK: The input

    func take(_ input: InputFile) { state.withLock { $0.input = input } }

    func fetched() throws -> InputFile {
        guard let input = state.withLock({ $0.input }) else {
            throw TaskFailure.config(
                "the task reads its file and says by needsFile that it does not: mend the task")
        }
        return input
    }

    func media() async throws -> MediaInfo {
        if let media = state.withLock({ $0.media }) { return media }
        let media = try await shop.media.probe(try fetched().path)
        watch.moved()
        state.withLock { $0.media = media }
        return media
    }

    nonisolated(nonsending) func decode(
        _ mode: DecodeMode = .gapless, _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        let file = try fetched().path
        let media = try await media()
        // Why another name: a second decode of a run begins at 0 again and is progress, too.
        let label = mode == .gapless ? "decode" : "decode untrimmed"
        let report = try await shop.media.decodeEvenly(
            file, media, mode: mode,
            progress: { [self] position in try? await progress(position, of: label) }, consume)
        watch.moved()
        return report
    }

    // MARK: Progress

    func progress(_ fraction: Double, of task: String) async throws {
        guard watch.reached(fraction, of: task), let context else { return }
        let now = context.queue.broker.time.now()
        let note = state.withLock { state -> Note? in
            if let last = state.writtenAt, now - last < Self.noteInterval { return nil }
            state.writtenAt = now
            let data = state.note?.task == task ? state.note?.data : nil
            // Why rounded: a person reads it.
            let note = Note(task: task, fraction: (fraction * 1000).rounded() / 1000, data: data)
            state.note = note
            return note
        }
        if let note { try await context.checkpoint(try StableJSON.line(of: note)) }
    }

    func checkpoint(_ bytes: [UInt8], of task: String) async throws {
        guard bytes.count <= Self.mostCheckpoint else {
            throw TaskFailure.config(
                "task \(task) keeps \(bytes.count) bytes as a checkpoint, and \(Self.mostCheckpoint) are allowed: store them as a result"
            )
        }
        watch.moved()
        let note = state.withLock { state in
            let fraction = state.note?.task == task ? state.note?.fraction : nil
            let note = Note(task: task, fraction: fraction, data: Data(bytes))
            state.note = note
            return note
        }
        try await context?.checkpoint(try StableJSON.line(of: note))
    }

    func checkpoint(of task: String) -> [UInt8]? {
        state.withLock { state in
            state.note?.task == task ? state.note?.data.map { Array($0) } : nil
        }
    }
}
