// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitPush
import Logging
import ServiceLifecycle
import UnixSignals

/// What a worker does with each message.
protocol WorkRun: Sendable {
    var summary: Work.Summary { get }
    func callAsFunction(_ message: Message, _ context: JobContext) async throws
    /// Ends what runs outside of this process, without waiting for anybody.
    func killAll()
}

/// `godwit work`: a worker whose handlers are runs of a shell command, or calls of a service.
struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command, or call a service, for each message of a queue.",
        discussion: """
            With --exec the payload is on the command's stdin; GODWIT_ID, GODWIT_KIND, GODWIT_ATTEMPT, \
            GODWIT_COUNT, GODWIT_QUEUE, GODWIT_CONTENT_TYPE and GODWIT_HEADER_<NAME> are in its \
            environment. Exit 0 acks, 65 rejects into the dead letters, 75 retries after \
            --retry-after, anything else retries by policy (doubling delays with jitter).

            With --http each message is posted to a URL, signed with GODWIT_PUSH_SECRET; with --grpc \
            godwit.v1.Handler is called. 2xx and OK ack; 400, 410, 422 and INVALID_ARGUMENT, \
            NOT_FOUND, FAILED_PRECONDITION reject, among others; the rest retries after what the \
            service asks for, else after --retry-after, else by policy (docs/wire.md, "Push"). A \
            call has three fifths of --lease, or --run-timeout if that is less. A service that fails \
            is left alone for a while, and messages wait with no attempt used.

            SIGTERM or SIGINT ends it after what runs; the second one cancels what runs and releases \
            it.
            """)

    @Argument(help: "The queue.", transform: StoreOptions.queue)
    var queue: QueueName
    @Option(help: "Run by /bin/sh -c for each message.")
    var exec: String?
    @Option(help: ArgumentHelp("Post each message to this service.", valueName: "url"))
    var http: String?
    @Option(
        help: ArgumentHelp("Call godwit.v1.Handler there for each message.", valueName: "host:port")
    )
    var grpc: String?
    @Flag(name: .customLong("tls"), help: "Speak TLS with the --grpc service.") var isTLS = false
    @Option(
        help: ArgumentHelp(
            "PEM file that the --grpc service's certificate is checked against; implies --tls.",
            valueName: "file"))
    var ca: String?
    @Flag(
        name: .customLong("plaintext"), help: "Messages may leave this machine unencrypted.")
    var allowsPlaintext = false
    @Option(
        help: "Take only this kind; may be repeated. Without it, every kind.",
        transform: StoreOptions.kind)
    var kind: [Kind] = []
    @Option(help: "How many commands or calls run at once.")
    var concurrency: Int = 4
    @Option(
        help: "How long a message is this worker's before it must renew.",
        transform: StoreOptions.duration)
    var lease: Duration = .seconds(30)
    @Option(help: "How long one run may take.", transform: StoreOptions.duration)
    var runTimeout: Duration?
    @Option(
        help: "How long what runs may go on after the first signal.",
        transform: StoreOptions.duration)
    var grace: Duration = .seconds(10)
    @Option(
        help: """
            When a run that ended with 75 comes again (10s), or a call whose answer asks for a retry \
            and names no time (by policy).
            """, transform: StoreOptions.duration)
    var retryAfter: Duration?
    @Flag(help: "End when the queue holds nothing ready, scheduled or leased.")
    var drain = false
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (1...1024).contains(concurrency) else {
            throw ValidationError("--concurrency is 1 to 1024, not \(concurrency).")
        }
        guard lease >= .milliseconds(100) else {
            throw ValidationError("--lease is at least 100ms: it is renewed every third of it.")
        }
        guard [exec, http, grpc].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Give one of --exec COMMAND, --http URL and --grpc HOST:PORT.")
        }
        guard exec?.isEmpty != true else {
            throw ValidationError("--exec is empty: give a shell command.")
        }
        guard grpc != nil || !isTLS && ca == nil else {
            throw ValidationError("--tls and --ca belong to --grpc; --http says https://.")
        }
        guard exec == nil || !allowsPlaintext else {
            throw ValidationError("--plaintext belongs to --http and --grpc.")
        }
    }

    struct Summary: Row {
        static let schema = "godwit.work/1"
        static let columns: [Column<Summary>] = [
            .int("acked", "runs that did it") { $0.acked },
            .int("failed", "runs that are tried again, or were the last") { $0.failed },
            .int("rejected", "runs that sent it to the dead letters") { $0.rejected },
            .int("cancelled", "runs that were stopped") { $0.cancelled },
        ]
        let acked: Int
        let failed: Int
        let rejected: Int
        let cancelled: Int
    }

    func run() async throws {
        // Why: a command that ends before it has read its payload must not end this process.
        signal(SIGPIPE, SIG_IGN)
        let output = try store.output(Summary.self)
        let target = try self.target()
        // Its own way with signals: what runs goes on. --timeout ends it like one.
        try await store.withStore(handlesSignals: false) { store in
            let run = try self.makeRun(target)
            var options = WorkerOptions()
            options.lease = lease
            options.grace = grace
            let worker = Worker(
                Queue(queue, on: store.broker), concurrency: concurrency, options: options
            ) { jobs in
                // Why not for calls: they end by themselves, and waiting for a service is no run.
                let timeout = exec == nil ? nil : runTimeout
                for kind in Set(kind) {
                    jobs.handle(kind: kind, timeout: timeout) { try await run($0, $1) }
                }
                if kind.isEmpty { jobs.handleAll(timeout: timeout) { try await run($0, $1) } }
            }
            Logger.current.info("working '\(queue)' on \(store.name)")
            try await serve(worker, run)
            let summary = run.summary
            if self.store.format == .text {
                Talk.say(
                    """
                    \(summary.acked) acked, \(summary.failed) failed, \(summary.rejected) rejected\
                    \(summary.cancelled > 0 ? ", \(summary.cancelled) cancelled" : "")
                    """)
            } else {
                try output.one(summary)
            }
        }
    }

    private func makeRun(_ target: PushTarget?) throws -> any WorkRun {
        guard let target else {
            return CommandRun(
                command: exec ?? "", queue: queue, retryAfter: retryAfter ?? .seconds(10),
                passesOutput: store.format == .text)
        }
        if let ca, !FileManager.default.isReadableFile(atPath: ca) {
            throw Failure(.noInput, "--ca: there is no file '\(ca)' that this user may read.")
        }
        var options = PushOptions()
        options.lease = lease
        options.runTimeout = runTimeout
        options.retryAfter = retryAfter
        options.connections = concurrency
        do {
            return PushRun(try Push(to: target, options: options))
        } catch {
            throw Failure(
                .configuration,
                "could not make ready to call \(target): \(error). Check that --ca is a PEM file.")
        }
    }

    /// Runs the worker in a group that the first signal stops gracefully and the second at once.
    private func serve(_ worker: Worker, _ run: any WorkRun) async throws {
        let service = WorkService(worker: worker, end: drain ? .drained : .shutdown)
        // In the order of their start; they end the other way round, so that calls find their
        // connections open to the end.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let push = (run as? PushRun)?.push { services.append(.init(service: push)) }
        services.append(
            .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [], cancellationSignals: [], logger: Logger.current))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do { try await group.run() } catch is CancellationError {}
            }
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
            tasks.addTask { @Sendable in
                var count = 0
                for await signal in signals {
                    count += 1
                    if count == 1 {
                        Talk.say(
                            "\(signal): waiting up to \(grace.brief) for what runs; again to end at once"
                        )
                        await group.triggerGracefulShutdown()
                    } else if count == 2 {
                        // Why a thread: whatever holds the pool up, this ends.
                        Thread.detachNewThread {
                            Thread.sleep(forTimeInterval: 4)
                            run.killAll()
                            _exit(Failure.Code.software.rawValue)
                        }
                        throw CancellationError()
                    }
                }
                // Only when this task is cancelled: the worker has ended.
                try Task.checkCancellation()
            }
            do {
                // Whichever ends first ends the other: the worker by itself, or a second signal.
                try await tasks.next()
            } catch is CancellationError {}
            tasks.cancelAll()
            while let result = await tasks.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }
}

/// A worker that ends where it is told to.
struct WorkService: Service {
    let worker: Worker
    let end: Worker.End

    func run() async throws { try await worker.run(until: end) }
}
