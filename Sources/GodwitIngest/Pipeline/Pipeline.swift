// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging

/// What happens to a track, as a chain of stages: each arrow is a durable queue with its own
/// concurrency, lease, limits, retries and dead letters.
///
///     let pipeline = Pipeline("audio", on: broker, with: workshop)
///         .stage("audio.analyse", concurrency: 4, WaveformGenerator(), TrackAnalyzer())
///         .stage("audio.transcode", concurrency: 2, Transcoder())
///         .stage("audio.publish") { track, work in try await Publisher().publish(track, work) }
///     try await pipeline.service().run()
///
/// The message is a ``Track`` and stays the same; results lie in the store. So going on is one forward,
/// a stage of more processes is more speed, and a new algorithm is a new ``IngestTask`` in the chain.
/// - Repeated: a stage whose results are stored does nothing but hand on.
/// - Crash half way: the track runs again in its stage, from the last task that was finished.
public struct Pipeline: Sendable {
    public let name: String
    package let broker: any Broker
    package private(set) var shop: Workshop
    package private(set) var stages: [Stage] = []
    package private(set) var observer: @Sendable (PipelineEvent) -> Void = { _ in }

    public init(_ name: String, on broker: any Broker, with shop: Workshop) {
        self.name = name
        self.broker = broker
        self.shop = shop
    }

    /// A stage that runs tasks: those that listen share one decode, all of them the fetched file.
    public func stage(
        _ name: QueueName, concurrency: Int? = nil, lease: Duration? = nil,
        quiet: Duration? = nil, retry: RetryPolicy? = nil, options: StageOptions = StageOptions(),
        _ tasks: any IngestTask...
    ) -> Pipeline {
        stage(
            name, .tasks(tasks), options.with(concurrency, lease, quiet, retry))
    }

    /// A stage that runs a closure each time a track comes: let a second run find what the first did.
    ///
    /// `fetches`: whether it reads the track's file.
    public func stage(
        _ name: QueueName, concurrency: Int? = nil, lease: Duration? = nil,
        quiet: Duration? = nil, retry: RetryPolicy? = nil, options: StageOptions = StageOptions(),
        fetches: Bool = false,
        _ body: @escaping @Sendable (Track, Workspace) async throws -> Void
    ) -> Pipeline {
        stage(
            name, .body(fetches: fetches, body),
            options.with(concurrency, lease, quiet, retry))
    }

    /// Tells `observer` what happens in this process; it must return quickly.
    public func observing(_ observer: @escaping @Sendable (PipelineEvent) -> Void) -> Pipeline {
        var pipeline = self
        pipeline.observer = observer
        return pipeline
    }

    /// Where tracks enter.
    public var entrance: Queue? { stages.first.map { Queue($0.name, on: broker) } }

    /// What keeps it from running; sentences.
    public var problems: [String] {
        var problems: [String] = []
        if stages.isEmpty { problems.append("pipeline '\(name)' has no stage: add one by .stage") }
        var names: Set<QueueName> = []
        for stage in stages where !names.insert(stage.name).inserted {
            problems.append("two stages are called '\(stage.name)': each has a queue of its own")
        }
        var tasks: Set<String> = []
        for key in shop.chain {
            if let problem = key.problem { problems.append(problem) }
            if !tasks.insert(key.name).inserted {
                problems.append(
                    "two tasks are called '\(key.name)': results are stored by that name")
            }
        }
        return problems
    }

    /// What runs it in this process, with `sources` that feed it.
    public func service(_ sources: [any IngestSource] = []) throws -> PipelineService {
        let problems = problems
        guard problems.isEmpty else { throw PipelineError(problems: problems) }
        return PipelineService(self, sources)
    }

    private func stage(_ name: QueueName, _ work: Stage.Work, _ options: StageOptions) -> Pipeline {
        var pipeline = self
        if !pipeline.stages.isEmpty {
            pipeline.stages[pipeline.stages.count - 1].next = name
        }
        pipeline.stages.append(Stage(name: name, options: options, work: work))
        if case .tasks(let tasks) = work {
            for task in tasks {
                let key = TaskKey(any: task)
                pipeline.shop.keys[ObjectIdentifier(type(of: task))] = key
                pipeline.shop.chain.append(key)
            }
        }
        return pipeline
    }
}

extension StageOptions {
    func with(
        _ concurrency: Int?, _ lease: Duration?, _ quiet: Duration?, _ retry: RetryPolicy?
    ) -> StageOptions {
        var options = self
        if let concurrency { options.concurrency = max(1, concurrency) }
        if let lease { options.lease = lease }
        if let quiet { options.quiet = quiet }
        if let retry { options.retry = retry }
        return options
    }
}

/// Why a pipeline can't run.
public struct PipelineError: Error, CustomStringConvertible {
    public let problems: [String]
    public var description: String { problems.joined(separator: "; ") }
}

/// What happened to a track in a stage of this process.
public struct PipelineEvent: Sendable {
    public enum Outcome: Sendable {
        case began
        /// The tasks that ran, and those whose results were stored already.
        case done(made: [String], found: [String])
        /// Ended here: its object is not there any more.
        case gone(String)
        /// The class's word and the reason; `isFinal`: it went to the dead letters.
        case failed(word: String, reason: String, isFinal: Bool)
    }

    public var stage: QueueName
    public var track: Track
    public var outcome: Outcome
}
