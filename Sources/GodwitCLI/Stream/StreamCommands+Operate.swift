// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitStreams

extension StreamCommands {
    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a blocked or parked key run again now.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await move(key, in: stream, store, as: "redriven", "is neither blocked nor parked")
            {
                try await $0.streamOperator.redriveLane(key, in: stream)
            }
        }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send the point that blocks a key to the dead letters; the key goes on.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await move(key, in: stream, store, as: "skipped", "is not blocked") { broker in
                let lane = try await broker.requireLane(key, window: 0, in: stream)
                guard lane.summary.phase == .blocked, let point = lane.pending.first else {
                    return false
                }
                let reason = "skipped by an operator: \(lane.reason)"
                return try await broker.streamOperator.skipPoint(
                    of: key, at: lane.summary.position,
                    StrayPoint.letter(
                        point, key: key, position: lane.summary.position, stream: stream, reason),
                    in: stream)
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a key's kept window again from an empty state.",
            discussion:
                "Points older than the window are gone; messages that are known aren't sent twice.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @Option(help: "How many of the last handled points.") var window: Int = 100
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await move(key, in: stream, store, as: "replayed", "is leased, or keeps no window")
            {
                try await $0.streamOperator.replayLane(key, window: max(1, window), in: stream)
            }
        }
    }

    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop an idle key whole: window, state and memory of ids.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @Option(help: ArgumentHelp("The key once more.", valueName: "key")) var confirm: String?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            if store.isDry { return }
            guard confirm == key else {
                throw ValidationError(
                    """
                    this drops window and state of '\(key.shown)' for good. Nothing was \
                    done; if you mean it, add --confirm with the key.
                    """)
            }
        }

        func run() async throws {
            try await move(key, in: stream, store, as: "forgotten", "is not idle") {
                try await $0.streamOperator.forgetLane(key, in: stream)
            }
        }
    }

    private static func move(
        _ key: String, in stream: QueueName, _ store: StoreOptions, as word: String,
        _ refusal: String, _ step: @escaping @Sendable (any StreamBroker) async throws -> Bool
    ) async throws {
        let output = try store.output(MovedRow.self)
        try await store.withStore { open in
            let broker = try await open.streams(with: stream)
            _ = try await broker.requireLane(key, window: 0, in: stream)
            if store.isDry {
                try output.one(MovedRow(id: key, queue: stream.text, outcome: "would be \(word)"))
                return Talk.say("nothing was done")
            }
            guard try await step(broker) else {
                throw Failure(
                    .temporary,
                    """
                    key '\(key.shown)' of '\(stream)' \(refusal); nothing was changed. \
                    `godwit stream key \(stream) KEY` shows where it stands.
                    """)
            }
            await open.audit("stream \(word)", stream.text, key, affected: 1)
            try output.one(MovedRow(id: key, queue: stream.text, outcome: word))
            Talk.say("see it with `godwit stream key \(stream) \(key.shown.quoted)`")
        }
    }
}
