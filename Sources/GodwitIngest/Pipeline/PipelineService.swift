// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
public import ServiceLifecycle

/// What feeds tracks into a pipeline while it runs.
public protocol IngestSource: Sendable {
    /// Announces tracks to the queue until a graceful shutdown or cancellation.
    func run(into queue: Queue) async throws
}

/// Runs a pipeline in this process: one worker per stage, and what feeds the first.
public struct PipelineService: Service {
    package let pipeline: Pipeline
    private let sources: [any IngestSource]

    init(_ pipeline: Pipeline, _ sources: [any IngestSource]) {
        self.pipeline = pipeline
        self.sources = sources
    }

    /// Runs until a graceful shutdown or cancellation. Throws when a stage or a source can't go on;
    /// the others are stopped then.
    public func run() async throws {
        try await applyLimits()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for stage in pipeline.stages {
                group.addTask { try await worker(stage).run() }
            }
            if let entrance = pipeline.entrance {
                for source in sources {
                    group.addTask { try await source.run(into: entrance) }
                }
            }
            // Why all: a graceful shutdown ends each by itself; a failure cancels the rest.
            for try await _ in group {}
        }
    }

    /// Runs what lies in the queues, stage by stage, until nothing is left: also what other processes
    /// hold, and what waits for another try. `stageEnded` is told after each.
    ///
    /// A track only ever moves forward, so that what is drained stays drained.
    public func runUntilDrained(
        _ stageEnded: (QueueName) -> Void = { _ in }
    ) async throws {
        try await applyLimits()
        for stage in pipeline.stages {
            try await worker(stage).run(until: .drained)
            if Task.isCancelled { throw CancellationError() }
            stageEnded(stage.name)
        }
    }

    private func worker(_ stage: Stage) -> Worker {
        var options = WorkerOptions()
        options.lease = stage.options.lease
        options.maxRun = stage.options.longest
        // Why none: a run is long, and what is leased ahead of a slot another process could take.
        options.prefetch = 0
        return Worker(
            Queue(stage.name, on: pipeline.broker), concurrency: stage.options.concurrency,
            options: options
        ) { pipeline.handle(stage, &$0) }
    }

    /// Sets the limits that the stages name; what they don't name stays as it is set.
    private func applyLimits() async throws {
        for stage in pipeline.stages {
            guard stage.options.mostMessages != nil || stage.options.mostRunning != nil else {
                continue
            }
            var settings = try await pipeline.broker.operator.settings(of: stage.name)
            if let most = stage.options.mostMessages { settings.maxMessages = most }
            if let most = stage.options.mostRunning { settings.maxLeased = most }
            try await pipeline.broker.operator.apply(settings, to: stage.name)
        }
    }
}
