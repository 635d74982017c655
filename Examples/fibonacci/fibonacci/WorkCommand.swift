// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FibonacciNumbers
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Godwit
import Logging
import ServiceLifecycle
import UnixSignals

/// How a worker holds its messages.
struct WorkerSettings: ParsableArguments {
    @Option(help: "Calls of one worker at once.") var concurrency = 4
    @Option(help: "Seconds until a dead worker's messages run again; a call may take 9/10 of it.")
    var lease = 3.0

    func validate() throws {
        guard (1...64).contains(concurrency) else {
            throw ValidationError("--concurrency is 1 to 64, not \(concurrency).")
        }
        guard (0.5...600).contains(lease) else {
            throw ValidationError("--lease is 0.5 to 600 seconds, not \(lease).")
        }
    }
}

/// One worker: a process of its own, so that it can be killed.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Calls the service for each message until stopped, or until none is left.",
        discussion: "SIGTERM or Ctrl-C ends it gracefully: it waits for the calls under way.")

    @Option(help: "sqlite:PATH, redis://… or redis+unix://…") var broker: String
    @Option(help: "The service, as host:port.") var service: String
    @Option(help: "The folder of the results.") var results: String
    @OptionGroup var settings: WorkerSettings
    @Flag(help: "End when nothing is left.") var drain = false
    @Flag(help: .hidden) var tellsNumber = false

    func validate() throws { _ = try HostPort(service) }

    func run() async throws {
        // Why: the starter counts retries, and shows how far all is in a line of its own.
        if tellsNumber {
            LoggingSystem.bootstrap { label in
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = .warning
                return handler
            }
        }
        let address = try HostPort(service)
        try House.makeFolder(results)
        let transport = try HTTP2ClientTransport.Posix.http2NIOPosix(
            target: .dns(host: address.host, port: address.port), transportSecurity: .plaintext)
        try await House.with(broker) { broker in
            try await withGRPCClient(transport: transport) { client in
                let lease = Duration.milliseconds(Int64(settings.lease * 1000))
                let computer = Computer(
                    numbers: Fibonacci_V1_Numbers.Client(wrapping: client),
                    results: Results(folder: results), patience: lease * 9 / 10)
                try await work(on: broker, lease: lease, computer)
            }
        }
    }

    private func work(
        on broker: any Broker, lease: Duration,
        _ computer: Computer<some Fibonacci_V1_Numbers.ClientProtocol>
    ) async throws {
        var options = WorkerOptions()
        options.lease = lease
        // Why: a message held but not begun is one that another worker could compute.
        options.prefetch = 0
        let worker = Worker(
            Queue(House.queue, on: broker), concurrency: settings.concurrency, options: options
        ) { jobs in
            jobs.handle(ComputeNumber.self) { try await computer.compute($0, $1) }
        }
        // The starter asks by this number which leases are ours.
        if tellsNumber {
            try House.print(worker.number)
            House.whenStarterIsGone { worker.stop() }
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
        guard !host.isEmpty else { throw ValidationError("--service names no host.") }
        self.host = String(host)
        self.port = port
    }
}
