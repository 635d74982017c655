// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import Godwit
import Logging
import SystemPackage

/// One stage at work on one track.
///
/// What is stored already is not made again, and a record is stored after everything that it names; so
/// a run that was killed at any point is repeated from the last task that was finished.
struct StageRun: Sendable {
    let stage: Stage
    let shop: Workshop

    /// What a run did, for those who watch.
    struct Done: Sendable {
        var made: [String] = []
        var found: [String] = []
    }

    func run(_ track: Track, _ context: JobContext?, _ time: any TimeSource) async throws -> Done {
        switch stage.work {
        case .tasks(let tasks):
            try await run(tasks, track, context, time)
        case .body(let fetches, let body):
            try await run(body, fetches, track, context, time)
        }
    }

    // MARK: Tasks

    private func run(
        _ tasks: [any IngestTask], _ track: Track, _ context: JobContext?, _ time: any TimeSource
    ) async throws -> Done {
        let known = try await hash(of: track)
        var left = tasks
        if let known { left = try await unfinished(tasks, known) }
        guard !left.isEmpty else { return Done(made: [], found: names(tasks)) }
        return try await shop.admission.with(cost(of: left, track)) { [left] in
            try await watched(track, context, time) { work in
                let needsFile = known == nil || left.contains { type(of: $0).needsFile }
                return try await shop.scratch.withFolder { folder in
                    var hash = known
                    var left = left
                    if needsFile {
                        let input = try await fetch(track, folder, work)
                        if let known, known != input.sha256 {
                            throw TaskFailure.retry(
                                "the object changed under the etag \(track.etag.escapedForDisplay): its bytes are other ones than before"
                            )
                        }
                        if known == nil {
                            try await note(track, input)
                            left = try await unfinished(left, input.sha256)
                        }
                        hash = input.sha256
                    }
                    guard let hash else { return Done() }
                    try await perform(left, track, hash, folder, work)
                    let made = names(left)
                    return Done(made: made, found: names(tasks).filter { !made.contains($0) })
                }
            }
        }
    }

    /// The tasks in their order; those that listen are fed before the first of them ends, by one decode
    /// for each mode that they ask for. That is one, but for an MP3 that is drawn as audiowaveform does.
    private func perform(
        _ tasks: [any IngestTask], _ track: Track, _ hash: String, _ folder: FilePath,
        _ work: StageWork
    ) async throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let listening = tasks.compactMap { $0 as? any ListeningTask }
        var ears: [any Ear] = []
        var reports: [DecodeReport] = []
        if !listening.isEmpty {
            let media = try await work.media()
            ears = try listening.map { try $0.ear(for: media) }
            let modes = ears.map { $0.mode }
            for (place, mode) in modes.enumerated() {
                // The first of a mode decodes for all of it; each has its report in its own place.
                if let twin = modes[..<place].firstIndex(of: mode) {
                    reports.append(reports[twin])
                    continue
                }
                let report = try await work.decode(mode) { samples in
                    for index in ears.indices where modes[index] == mode {
                        ears[index].add(samples)
                    }
                }
                reports.append(report)
            }
        }
        let heard = clock.now - begin
        var nextEar = 0
        for task in tasks {
            let key = TaskKey(any: task)
            let begin = clock.now
            let own = folder.appending("task-\(key.name)")
            try FileManager.default.createDirectory(
                atPath: own.string, withIntermediateDirectories: false)
            // Why now: what one task made is not kept on disk while the next one works.
            defer { try? FileManager.default.removeItem(atPath: own.string) }
            var space = Workspace(work, track: track, key: key, inputHash: hash, folder: own)
            if task is any ListeningTask {
                space.begin = begin - heard
                try await ears[nextEar].finish(reports[nextEar], in: space)
                nextEar += 1
            } else {
                space.begin = begin
                try await run(task, in: space)
            }
        }
    }

    private func run(_ task: some IngestTask, in space: Workspace) async throws {
        try await space.finish(try await task.run(space.track, in: space))
    }

    // MARK: A closure

    private func run(
        _ body: @escaping @Sendable (Track, Workspace) async throws -> Void, _ fetches: Bool,
        _ track: Track, _ context: JobContext?, _ time: any TimeSource
    ) async throws -> Done {
        let known = try await hash(of: track)
        let needsFile = fetches || known == nil
        let cost = Cost(cpuSlots: fetches ? 1 : 0, tempBytes: needsFile ? track.size : 0)
        return try await shop.admission.with(cost) {
            try await watched(track, context, time) { work in
                try await shop.scratch.withFolder { folder in
                    var hash = known
                    if needsFile {
                        let input = try await fetch(track, folder, work)
                        if known == nil { try await note(track, input) }
                        hash = input.sha256
                    }
                    guard let hash else { return Done() }
                    let key = TaskKey(name: "\(stage.name)", version: 0, options: "")
                    try await body(
                        track,
                        Workspace(work, track: track, key: key, inputHash: hash, folder: folder))
                    return Done(made: [key.name])
                }
            }
        }
    }

    // MARK: Parts

    private func watched(
        _ track: Track, _ context: JobContext?, _ time: any TimeSource,
        _ body: @escaping @Sendable (StageWork) async throws -> Done
    ) async throws -> Done {
        let watch = ProgressWatch(time, quiet: stage.options.quiet)
        let work = StageWork(shop, track, context, watch)
        return try await watch.guarding { try await body(work) }
    }

    private func fetch(
        _ track: Track, _ folder: FilePath, _ work: StageWork
    ) async throws -> InputFile {
        let input = try await InputFile.fetch(
            track, from: try shop.input(track.bucket), into: folder, limit: shop.maxInputBytes,
            progress: { [watch = work.watch] size in watch.reached(Double(size), of: "fetch") })
        work.take(input)
        return input
    }

    private func hash(of track: Track) async throws -> String? {
        guard let bytes = try await shop.output.bytes(at: InputNote.place(of: track)) else {
            return nil
        }
        guard let note = try? StableJSON.decode(InputNote.self, from: bytes),
            note.bucket == track.bucket, note.key == track.key, note.etag == track.etag
        else {
            Logger.current.warning(
                "\(InputNote.place(of: track)) in \(shop.output.name) can't be read; the object is fetched again"
            )
            return nil
        }
        return note.sha256
    }

    private func note(_ track: Track, _ input: InputFile) async throws {
        _ = try await shop.output.put(
            try StableJSON.bytes(of: InputNote(track, input)), at: InputNote.place(of: track),
            PutOptions(contentType: "application/json", ifAbsent: true))
    }

    private func unfinished(
        _ tasks: [any IngestTask], _ hash: String
    ) async throws -> [any IngestTask] {
        var left: [any IngestTask] = []
        for task in tasks {
            let isThere = try await shop.output.head(TaskKey(any: task).record(for: hash)) != nil
            if !isThere { left.append(task) }
        }
        return left
    }

    /// The input once, the files that each of them makes, and the most slots that one wants.
    private func cost(of tasks: [any IngestTask], _ track: Track) -> Cost {
        var whole = Cost(cpuSlots: 0, tempBytes: track.size)
        for task in tasks {
            let cost = task.cost(of: track)
            whole.cpuSlots = max(whole.cpuSlots, cost.cpuSlots)
            let own = cost.tempBytes > track.size ? cost.tempBytes - track.size : 0
            whole.tempBytes = whole.tempBytes.addingReportingOverflow(own).partialValue
        }
        return whole
    }

    private func names(_ tasks: [any IngestTask]) -> [String] {
        tasks.map { type(of: $0).name }
    }
}

extension TaskKey {
    init(any task: any IngestTask) { self.init(task) }
}
