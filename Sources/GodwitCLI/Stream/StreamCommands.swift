// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitStreams

/// `godwit stream …`
struct StreamCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "Look at keyed streams; move, replay or forget single keys.",
        discussion: """
            Points that were given up are dead letters of the queue with the stream's name: see \
            `godwit dead`. A redriven one is appended to its stream again by the next worker.
            """,
        subcommands: [
            List.self, Show.self, Keys.self, Key.self, Append.self, Dropped.self, Redrive.self,
            Skip.self, Replay.self, Forget.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All streams with what stands where.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(StreamRow.self)
            try await store.withStore { open in
                let broker = try open.streams()
                var rows: [StreamRow] = []
                for stream in try await broker.streamInspector.streams() {
                    let counts = try await broker.streamInspector.counts(ofStream: stream)
                    rows.append(StreamRow(stream: stream.text, counts: counts))
                }
                try output.list(Array(rows.prefix(store.limit())))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One stream in numbers.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(StreamRow.self)
            try await store.withStore { open in
                let broker = try await open.streams(with: stream)
                let counts = try await broker.streamInspector.counts(ofStream: stream)
                try output.one(StreamRow(stream: stream.text, counts: counts))
            }
        }
    }

    struct Keys: AsyncParsableCommand {
        enum Order: String, ExpressibleByArgument, CaseIterable {
            case lag, activity

            var order: LaneOrder { self == .lag ? .lag : .activity }
        }

        static let configuration = CommandConfiguration(
            abstract: "Keys with the most waiting points, or the ones handled last.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Option(help: "lag: most waiting points first; activity: last handled first.")
        var by: Order = .lag
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(LaneRow.self)
            let limit = store.limit(20)
            try await store.withStore { open in
                let broker = try await open.streams(with: stream)
                let lanes = try await broker.streamInspector.lanes(
                    of: stream, by: by.order, limit: limit)
                try output.list(lanes.map(LaneRow.init))
            }
        }
    }

    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One key: where it stands, its window, its state, what waits.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @Option(help: "How many handled points to show.") var window: Int = 10
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(LaneDetail.self)
            try await store.withStore { open in
                let broker = try await open.streams(with: stream)
                let lane = try await broker.requireLane(key, window: max(0, window), in: stream)
                try output.one(LaneDetail(lane))
            }
        }
    }

    struct Dropped: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keys that were idle for too long, or forgotten: the last ones dropped.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(DroppedRow.self)
            try await store.withStore { open in
                let broker = try await open.streams(with: stream)
                let keys = try await broker.streamInspector.droppedKeys(of: stream)
                try output.list(keys.prefix(store.limit()).map(DroppedRow.init))
            }
        }
    }
}

extension OpenStore {
    func streams() throws -> any StreamBroker {
        guard let broker = broker as? any StreamBroker else {
            throw Failure(.usage, "\(name) keeps no streams.")
        }
        return broker
    }

    func streams(with stream: QueueName) async throws -> any StreamBroker {
        let broker = try streams()
        guard try await broker.streamInspector.streams().contains(stream) else {
            throw Failure(
                .noInput,
                "there is no stream '\(stream)' in \(name). `godwit stream list` shows those there are."
            )
        }
        return broker
    }
}

extension StreamBroker {
    func requireLane(_ key: String, window: Int, in stream: QueueName) async throws -> LaneRecord {
        guard let lane = try await streamInspector.lane(key, window: window, in: stream) else {
            throw Failure(
                .noInput,
                """
                stream '\(stream)' has no key '\(key.shown)'. `godwit stream keys \
                \(stream)` shows keys; `godwit stream dropped \(stream)` the ones that were dropped.
                """)
        }
        return lane
    }
}
