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
            of AWS are those of its own variables and files. A queue needs the setting input.buckets: the \
            buckets that may be read.
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
        let reporter = Reporter(isQuiet: quiet, tellsEvents: events)
        let local = files
        let broker = settings.broker.isEmpty ? "sqlite:audio-ingest.db" : settings.broker
        let dead = self.deadFolder(settings, broker)
        let rules = try self.rules(settings, place, home, dead)
        let buckets: Set<String> =
            switch place {
            case .directory: []
            case .bucket(let bucket, _): [bucket]
            case .queue: Set(settings.inputBuckets)
            }
        try await Setup.with(
            settings, broker: broker,
            inputs: { bucket in bucket == local?.root.string ? local : nil },
            buckets: buckets
        ) { setup in
            let pipeline = Pipeline.audio(on: setup.broker, with: setup.shop, settings)
                .observing { reporter.note($0) }
            if once {
                try await enqueueAll(pipeline, place, home, setup, rules)
                try await pipeline.service().runUntilDrained()
                return
            }
            let source = try await feed(place, home, setup, rules, dead)
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
        _ pipeline: Pipeline, _ place: Place, _ home: String, _ setup: Setup,
        _ rules: IntakeRules
    ) async throws {
        let store = try setup.shop.input(home)
        var prefix = ""
        if case .bucket(_, let given) = place { prefix = given }
        var after: String?
        while true {
            let page = try await store.list(prefix, after: after, limit: 1000)
            for info in page where rules.takes(info.key, in: home) {
                try await pipeline.enqueue(
                    Track(
                        bucket: home, key: info.key, versionID: info.versionID, etag: info.etag,
                        size: info.size))
            }
            guard let last = page.last else { return }
            after = last.key
        }
    }

    private func feed(
        _ place: Place, _ home: String, _ setup: Setup, _ rules: IntakeRules, _ dead: FilePath
    ) async throws -> (source: AnnouncedSource, connections: SQSConnections?) {
        let store: @Sendable (String) -> (any ObjectStore)? = { try? setup.shop.input($0) }
        switch place {
        case .directory(let path):
            return (
                AnnouncedSource(
                    DirectorySource(
                        path, bucket: home, options: .init(deadLetters: DeadLetterFolder(dead))),
                    rules: rules, home: home, store: store),
                nil
            )
        case .bucket(let bucket, let prefix):
            return (
                AnnouncedSource(
                    S3ListSource(
                        try setup.shop.input(bucket), bucket: bucket, prefix: prefix,
                        options: .init(
                            interval: .seconds(30), deadLetters: DeadLetterFolder(dead))),
                    rules: rules, home: home, store: store), nil
            )
        case .queue(let name):
            let options = AWSOptions()
            guard let credentials = setup.credentials else {
                throw TaskFailure.config("no connections")
            }
            let connections = try SQSConnections(options, credentials)
            let url: String
            do {
                url = try await connections.settling.url(of: name)
            } catch {
                await connections.shutdown()
                throw error
            }
            return (
                AnnouncedSource(
                    SQSSource(queue: url, over: connections), rules: rules, home: home, store: store
                ),
                connections
            )
        }
    }

    /// What is ours and no input. Throws where results would be taken as input, or inputs as results.
    private func rules(
        _ settings: Settings, _ place: Place, _ home: String, _ dead: FilePath
    ) throws -> IntakeRules {
        var outputs: [IntakeRules.Output] = []
        switch (place, Place(settings.out)) {
        case (.directory(let source), .directory(let out)):
            if let output = try IntakeRules.Output.folder(out, in: source, named: home) {
                outputs.append(output)
            }
        case (.bucket(let bucket, let source), .bucket(let other, let prefix)) where bucket == other:
            outputs.append(try .bucket(bucket, prefix: prefix, source: source))
        case (.queue, .bucket(let bucket, let prefix)) where settings.inputBuckets.contains(bucket):
            outputs.append(try .bucket(bucket, prefix: prefix, source: ""))
        default: break
        }
        if case .directory(let source) = place,
            let output = try IntakeRules.Output.folder(dead, in: source, named: home)
        {
            outputs.append(output)
        }
        return IntakeRules(outputs: outputs, maxBytes: settings.maxInputBytes)
    }

    /// The setting's, else beside the broker's file, else below the results.
    private func deadFolder(_ settings: Settings, _ broker: String) -> FilePath {
        if !settings.deadFolder.isEmpty { return Place.absolute(settings.deadFolder.string) }
        if broker.hasPrefix("sqlite:") {
            return Place.absolute(String(broker.dropFirst(7)) + ".dead")
        }
        if case .directory(let out) = Place(settings.out) { return out.appending("dead") }
        return Place.absolute("audio-ingest.dead")
    }
}
