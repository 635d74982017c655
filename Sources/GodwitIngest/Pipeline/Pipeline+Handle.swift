// SPDX-License-Identifier: Apache-2.0
package import Godwit
import Logging

extension Pipeline {
    /// Registers what a stage's worker does.
    package func handle(_ stage: Stage, _ jobs: inout Handlers) {
        let run = StageRun(stage: stage, shop: shop)
        jobs.handle(Track.self, retry: stage.options.retry, timeout: stage.options.longest) {
            track, context in
            observer(PipelineEvent(stage: stage.name, track: track, outcome: .began))
            do {
                let done = try await run.run(track, context, broker.time)
                // Why a look: whoever has it now hands it on.
                guard !context.isLeaseLost else { throw CancellationError() }
                observer(
                    PipelineEvent(
                        stage: stage.name, track: track,
                        outcome: .done(made: done.made, found: done.found)))
            } catch let error as InputChanged {
                try await restart(track, error, stage, context)
                return
            } catch {
                try await fail(track, error, stage, context)
                return
            }
            if let next = stage.next { throw Verdict.forward(to: next) }
        }
    }

    /// Decides by the class of a failure: rejects at once, is done with a note, tries again by the
    /// stage's policy, or slowly. Returning is the ack.
    private func fail(
        _ track: Track, _ error: any Error, _ stage: Stage, _ context: JobContext
    ) async throws {
        if error is CancellationError || error is LeaseLost { throw error }
        if let verdict = error as? Verdict { throw verdict }
        guard let failure = TaskFailure(classifying: error) else {
            tell(stage, track, "retry", "\(error)", context)
            throw error
        }
        switch failure {
        case .gone(let reason):
            context.logger.notice(
                "\(track.key.escapedForDisplay) of \(track.bucket.escapedForDisplay) is gone, so nothing is done with it: \(reason)"
            )
            observer(
                PipelineEvent(stage: stage.name, track: track, outcome: .gone(reason)))
        case .config(let reason):
            context.logger.error(
                "stage '\(stage.name)' can't work, and tries \(track.key.escapedForDisplay) again in \(stage.options.slow): \(reason)"
            )
            tell(stage, track, failure.word, reason, context)
            // Why jitter: what failed together does not come back together.
            let quarter = max(1, stage.options.slow.components.seconds * 250)
            throw Verdict.retry(
                after: stage.options.slow + .milliseconds(Int64.random(in: 0..<quarter)),
                reason: "\(failure)")
        case .mediaInvalid(let reason), .mediaLimit(let reason):
            observer(
                PipelineEvent(
                    stage: stage.name, track: track,
                    outcome: .failed(word: failure.word, reason: reason, isFinal: true)))
            throw Verdict.reject("\(failure)")
        case .retry(let reason):
            tell(stage, track, failure.word, reason, context)
            throw failure
        }
    }

    /// Another object lies there now: begins again with that one, under its own id, and ends this one.
    private func restart(
        _ track: Track, _ change: InputChanged, _ stage: Stage, _ context: JobContext
    ) async throws {
        let now: ObjectInfo?
        do {
            now = try await shop.input(track.bucket).head(track.key)
        } catch {
            return try await fail(track, error, stage, context)
        }
        guard let now, now.etag != track.etag else {
            let failure: TaskFailure = now == nil ? .gone(change.text) : .retry(change.text)
            return try await fail(track, failure, stage, context)
        }
        let newer = Track(
            bucket: track.bucket, key: track.key, versionID: now.versionID, etag: now.etag,
            size: now.size)
        if let entrance { try await entrance.enqueue(newer, named: Intake.id(of: newer)) }
        try await fail(
            track, TaskFailure.gone("another object lies there by now, which has a run of its own"),
            stage, context)
    }

    private func tell(
        _ stage: Stage, _ track: Track, _ word: String, _ reason: String, _ context: JobContext
    ) {
        let policy = stage.options.retry.maxAttempts.map { min($0, Int(UInt8.max) - 1) }
        let most = min(policy ?? 255, Int(context.leased.token.entry.maxAttempts))
        observer(
            PipelineEvent(
                stage: stage.name, track: track,
                outcome: .failed(
                    word: word, reason: reason, isFinal: most != 255 && context.attempt >= most)))
    }
}
