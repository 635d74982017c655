// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CoreMetrics
import Foundation
import Godwit
import GodwitHTTP
import GodwitMonitor
import Logging
import ServiceLifecycle
import UnixSignals

/// `godwit serve`: lets others look at a store.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hand out a store's numbers over HTTP: /metrics, /scale?queue=NAME, /health.",
        discussion: """
            Without GODWIT_TOKEN it listens on loopback only; with it, every request needs the \
            header `Authorization: Bearer TOKEN`. Requests that name another host than its address, \
            localhost or a --host are refused (421). SIGTERM or SIGINT ends it.
            """)

    @Option(
        help: ArgumentHelp("Where to listen; port 0 lets the system choose.", valueName: "address"),
        transform: Serve.address)
    var http: ListenAddress = .loopback
    @Option(help: "A further name to answer for; may be repeated.")
    var host: [String] = []
    @Flag(help: "Listen for others without a token: everybody there may read.")
    var insecureNoAuth = false
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let metrics = OpenMetricsFactory()
        MetricsSystem.bootstrap(metrics)
        let token = ProcessInfo.processInfo.environment["GODWIT_TOKEN"].flatMap {
            $0.isEmpty ? nil : $0
        }
        // Its own way with signals: it ends gracefully, with 0.
        try await store.withStore(handlesSignals: false) { store in
            let server: MonitorServer
            do throws(MonitorServerError) {
                server = try MonitorServer(
                    store.broker, metrics: metrics, on: http, hosts: host, token: token,
                    allowsAnybody: insecureNoAuth
                ) { address in
                    Talk.say("serving \(store.name) on http://\(address)/metrics")
                }
            } catch {
                throw Failure(.usage, "\(error)" + Self.advice(error))
            }
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [server], gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: Logger.current))
            try await group.run()
        }
    }

    private static func advice(_ error: MonitorServerError) -> String {
        switch error {
        case .open: " The token goes into GODWIT_TOKEN; --insecure-no-auth does without."
        default: ""
        }
    }

    private static func address(_ text: String) throws -> ListenAddress {
        guard let address = ListenAddress(text) else {
            throw ValidationError(
                """
                '\(text.prefix(60).shown)' is no address to listen on: write \
                127.0.0.1:9464, [::1]:9464 or :9464.
                """)
        }
        return address
    }
}
