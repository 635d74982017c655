// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FibonacciNumbers
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import UnixSignals

/// How the service treats its callers.
struct ServiceOptions: ParsableArguments {
    @Option(help: "The largest n that the service computes; a larger one is INVALID_ARGUMENT.")
    var bound: UInt32 = 1_000_000
    @Option(help: "Milliseconds that each call waits at least before it is computed.")
    var waitFrom = 20
    @Option(help: "Milliseconds that each call waits at most; drawn for each call.")
    var waitTo = 500
    @Option(help: "The share of calls that are put off by UNAVAILABLE.") var putOff = 0.05
    @Option(help: "The seed of everything that is drawn.") var seed: UInt64 = 1

    /// Beyond it a number would not fit into a message of gRPC's usual 4 MiB.
    static let largestBound: UInt32 = 10_000_000

    func validate() throws {
        guard (0...60_000).contains(waitFrom), (waitFrom...60_000).contains(waitTo) else {
            throw ValidationError("--wait-from and --wait-to are 0 to 60000 and rise.")
        }
        guard (0...0.9).contains(putOff) else {
            throw ValidationError("--put-off is 0 to 0.9, not \(putOff).")
        }
        guard bound <= Self.largestBound else {
            throw ValidationError("--bound is 0 to \(Self.largestBound), not \(bound).")
        }
    }

    /// The same as words of a command line.
    var arguments: [String] {
        [
            "--bound", "\(bound)", "--wait-from", "\(waitFrom)", "--wait-to", "\(waitTo)",
            "--put-off", "\(putOff)", "--seed", "\(seed)",
        ]
    }
}

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "A gRPC server that computes exact Fibonacci numbers: fibonacci.v1.Numbers.",
        discussion: """
            Says its port as JSON, runs until SIGTERM or Ctrl-C, and ends with its sums as JSON. It \
            speaks plaintext and knows no callers: leave it on loopback.
            """)

    @Option(help: "Address to listen on, IPv4.") var host = "127.0.0.1"
    @Option(help: "Port; 0 takes a free one.") var port = 50061
    @OptionGroup var options: ServiceOptions
    @Flag(help: .hidden) var endsWithStarter = false

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port is 0 to 65535, not \(port).")
        }
    }

    /// What is said when it listens.
    struct Listening: Codable { let host: String, port: Int }

    func run() async throws {
        let service = NumbersService(
            .init(
                largest: options.bound, wait: options.waitFrom...options.waitTo,
                putOff: options.putOff, seed: options.seed))
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: host, port: port), transportSecurity: .plaintext)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withGRPCServer(transport: transport, services: [service]) { server in
            guard let address = try await transport.listeningAddress.ipv4 else {
                throw Wrong("the service has no IPv4 address to listen on; check --host.")
            }
            try House.print(Listening(host: address.host, port: address.port))
            if endsWithStarter { House.whenStarterIsGone { kill(getpid(), SIGTERM) } }
            for await _ in signals { break }
        }
        try House.print(service.sums)
    }
}
