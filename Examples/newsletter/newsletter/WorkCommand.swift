// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Logging
import Mailing
import ServiceLifecycle
import UnixSignals

/// One worker: a process of its own, so that it can be killed.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Sends batches to a mail server until stopped, or until none is left.",
        discussion: "SIGTERM or Ctrl-C ends it gracefully: batches are given back where they stand."
    )

    @Option(help: "sqlite:PATH, redis://… or redis+unix://…") var broker: String
    @Option(help: "The mail server, as host:port.") var smtp: String
    @Option(help: "Batches at once; each has a connection of its own.") var concurrency = 2
    @Option(help: "A checkpoint after so many mails: what a kill may repeat, for each batch.")
    var every = 10
    @Option(help: "Seconds until a dead worker's batches run again.") var lease = 10.0
    @Option(help: "File for recipients that are refused for good, appended to.") var report: String?
    @Flag(help: "End when nothing is left.") var drain = false
    @Flag(help: .hidden) var tellsNumber = false

    func validate() throws {
        guard (1...64).contains(concurrency) else {
            throw ValidationError("--concurrency is 1 to 64, not \(concurrency).")
        }
        guard (1...1000).contains(every) else {
            throw ValidationError("--every is 1 to 1000, not \(every).")
        }
        guard (0.5...600).contains(lease) else {
            throw ValidationError("--lease is 0.5 to 600 seconds, not \(lease).")
        }
        _ = try HostPort(smtp)
    }

    func run() async throws {
        let address = try HostPort(smtp)
        let mailer = Mailer(
            host: address.host, port: address.port, every: every,
            report: report.map(RejectReport.init))
        let broker = try await Post.open(broker)
        do {
            try await work(on: broker, mailer)
            await broker.shutdown()
        } catch {
            await broker.shutdown()
            throw error
        }
    }

    private func work(on broker: any Broker, _ mailer: Mailer) async throws {
        var options = WorkerOptions()
        options.lease = .milliseconds(Int64(lease * 1000))
        // Why: a batch held but not begun is one that another worker could send.
        options.prefetch = 0
        let worker = Worker(
            Queue(Post.queue, on: broker), concurrency: concurrency, options: options
        ) { jobs in
            jobs.handle(SplitIssue.self) { issue, context in
                try await issue.split(id: context.id, into: context.queue)
            }
            jobs.handle(SendBatch.self) { try await mailer.send($0, $1) }
        }
        // The starter asks by this number which leases are ours.
        if tellsNumber {
            try Post.print(worker.number)
            // Why a thread: reading blocks. Standard input ends when the starter does.
            Thread.detachNewThread {
                var byte: UInt8 = 0
                var count = 1
                while count > 0 || (count < 0 && errno == EINTR) { count = read(0, &byte, 1) }
                worker.stop()
            }
        }
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: Working(worker: worker, end: drain ? .drained : .shutdown),
                        successTerminationBehavior: .gracefullyShutdownGroup)
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: .current)
        ).run()
    }
}

/// A worker that ends where it is told to.
private struct Working: Service {
    let worker: Worker
    let end: Worker.End

    func run() async throws { try await worker.run(until: end) }
}

/// `host:port`, or `[address]:port`.
struct HostPort {
    let host: String
    let port: Int

    init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { throw ValidationError("'\(text.escapedForDisplay)' is no host:port.") }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw ValidationError("--smtp names no host.") }
        self.host = String(host)
        self.port = port
    }
}
