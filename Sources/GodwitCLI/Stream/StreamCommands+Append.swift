// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitStreams

extension StreamCommands {
    struct Append: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Append one point, as its bytes stand, under a key.")
        @Argument(help: "The stream.", transform: StoreOptions.queue) var stream: QueueName
        @Argument(help: "The key.") var key: String
        @Argument(help: "The point's bytes; - reads stdin.") var point: String
        @Option(
            help: "Milliseconds since 1970 as its id: the same again is a duplicate. Else: now.")
        var time: Int64?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(AppendedRow.self)
            let bytes =
                point == "-"
                ? [UInt8](FileHandle.standardInput.readDataToEndOfFile()) : [UInt8](point.utf8)
            try await store.withStore { open in
                let broker = try open.streams()
                let now = broker.time.now() + broker.clockOffset
                let id = PointID(time.map { Timestamp(milliseconds: $0) } ?? now)
                if store.isDry {
                    return Talk.say("would append \(bytes.count) bytes as \(id); nothing was done")
                }
                let outcomes = try await broker.append(
                    [NewPoint(key: key, id: id, body: bytes)], to: stream, options: AppendOptions())
                try output.one(AppendedRow(key: key, id: "\(id)", outcomes[0]))
                if outcomes[0] == .full {
                    throw Failure(
                        .temporary,
                        "stream '\(stream)' is full for this key; the point was not taken. Try again when its worker has caught up."
                    )
                }
            }
        }
    }
}
