// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import AWSClient
import Foundation
import Godwit
import GodwitIngest
import Logging
import ServiceLifecycle
import SystemPackage
import UnixSignals

struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Take in whatever comes to a directory, a bucket, or a queue of S3's announcements.",
        discussion: """
            Runs until SIGTERM or SIGINT. Any number of processes may watch together on one broker (SQLite on \
            one machine, Redis on many); a track of one that dies is done by another. Credentials and endpoints \
            of AWS are those of its own variables and files.
            """)

    @Option(help: "A directory, s3://bucket/prefix or sqs://queue.") var source: String?
    @Option(help: "Where results go: a directory or s3://bucket/prefix.") var out: String?
    @Option(
        help: "Where the queue is: sqlite:FILE (sqlite:audio-ingest.db unless named) or redis://….")
    var broker: String?
    @OptionGroup var options: SettingsOptions
    @Flag(name: .shortAndLong, help: "Say nothing while it works.") var quiet = false
    @Flag(help: "End when all that lies there now is done; not for sqs.") var once = false
    @Flag(help: ArgumentHelp("Print every event.", visibility: .hidden)) var events = false

    func run() async throws {
        let settings = try await options.read(
            [("source", source), ("out", out), ("broker", broker)], needs: ["source", "out"])
        let place = Place(settings.source)
        var home = ""
        var files: FileStore?
        switch place {
        case .directory(let path):
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder),
                isFolder.boolValue
            else { throw ValidationError("--source \(shown(path.string)) is no directory.") }
            files = FileStore(path)
            home = path.string
        case .bucket(let bucket, _): home = bucket
        case .queue:
            guard !once else {
                throw ValidationError("--once is for a directory or a bucket: a queue has no end.")
            }
        }
        let outputs = try outputs(of: Place(settings.out), within: place)
        let reporter = Reporter(isQuiet: quiet, tellsEvents: events)
        let local = files
        try await Setup.with(
            settings, broker: settings.broker.isEmpty ? "sqlite:audio-ingest.db" : settings.broker,
            inputs: { bucket in bucket == local?.root.string ? local : nil },
            usesS3: local == nil
        ) { setup in
            let pipeline = Pipeline.audio(on: setup.broker, with: setup.shop, settings)
                .observing { reporter.note($0) }
            if once {
                try await enqueueAll(pipeline, place, home, outputs, setup)
                try await pipeline.service().runUntilDrained()
                return
            }
            let source = try await feed(place, home, outputs, setup)
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [try pipeline.service([source.source])],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger.current))
            if !quiet { say("watching \(shown(settings.source)); end with Ctrl-C") }
            do {
                try await group.run()
            } catch {
                await source.connections?.shutdown()
                throw error
            }
            await source.connections?.shutdown()
        }
    }

    private func enqueueAll(
        _ pipeline: Pipeline, _ place: Place, _ home: String, _ outputs: [IntakeRules.Output],
        _ setup: Setup
    ) async throws {
        let store = try setup.shop.input(home)
        var prefix = ""
        if case .bucket(_, let given) = place { prefix = given }
        var after: String?
        while true {
            let page = try await store.list(prefix, after: after, limit: 1000)
            for info in page where !info.key.hasSuffix("/") {
                let isOurs = outputs.contains { info.key.utf8.starts(with: $0.prefix.utf8) }
                if isOurs { continue }
                try await pipeline.enqueue(
                    Track(
                        bucket: home, key: info.key, versionID: info.versionID, etag: info.etag,
                        size: info.size))
            }
            guard let last = page.last else { return }
            after = last.key
        }
    }

    /// Where results lie among what is read: they are no input. Refuses a set-up where all of it would be.
    private func outputs(
        of out: Place, within source: Place
    ) throws -> [IntakeRules.Output] {
        switch (out, source) {
        case (.bucket(let bucket, let given), _):
            // With the slash that the store puts there: out/ is ours, and outside/ is not.
            let prefix = given.isEmpty || given.hasSuffix("/") ? given : given + "/"
            switch source {
            case .queue: return [.init(bucket: bucket, prefix: prefix)]
            case .bucket(bucket, let read):
                guard !(read.hasSuffix("/") ? read : read + "/").hasPrefix(prefix) else {
                    throw ValidationError(
                        "--out holds the whole of --source: results would be taken in again. Name another prefix or bucket."
                    )
                }
                return [.init(bucket: bucket, prefix: prefix)]
            case .bucket, .directory: return []
            }
        case (.directory(let out), .directory(let home)):
            guard out != home else {
                throw ValidationError(
                    "--out is --source: results would be taken in again. Name another directory.")
            }
            guard let rest = out.string.dropping(prefix: home.string + "/") else { return [] }
            return [.init(bucket: home.string, prefix: rest + "/")]
        case (.directory, _), (.queue, _): return []
        }
    }

    private func feed(
        _ place: Place, _ home: String, _ outputs: [IntakeRules.Output], _ setup: Setup
    ) async throws -> (source: AnnouncedSource, connections: SQSConnections?) {
        let rules = IntakeRules(outputs: outputs, maxBytes: setup.settings.maxInputBytes)
        let store: @Sendable (String) -> (any ObjectStore)? = { try? setup.shop.input($0) }
        switch place {
        case .directory(let path):
            return (
                AnnouncedSource(
                    DirectorySource(path, bucket: home), rules: rules, home: home, store: store),
                nil
            )
        case .bucket(let bucket, let prefix):
            return (
                AnnouncedSource(
                    S3ListSource(try setup.shop.input(bucket), bucket: bucket, prefix: prefix),
                    rules: rules, home: home, store: store), nil
            )
        case .queue(let name):
            let options = AWSOptions()
            guard let pool = setup.pool else { throw TaskFailure.config("no connections") }
            let connections = try SQSConnections(options, .chain(options, pool))
            let url = try await connections.settling.url(of: name)
            return (
                AnnouncedSource(
                    SQSSource(queue: url, over: connections), rules: rules, home: home, store: store
                ),
                connections
            )
        }
    }
}

extension String {
    fileprivate func dropping(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
