// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CoreMetrics
import Foundation
import Godwit
import GodwitGRPC
import GodwitHTTP
import GodwitMonitor
import Logging
import ServiceLifecycle
import UnixSignals

/// `godwit serve`: watches a store, and lets others look at it.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Watch a store: archive its history, send its alerts, serve its numbers over HTTP.",
        discussion: """
            /metrics, /scale?queue=NAME and /health answer over HTTP. Runs are archived into --history \
            (history.db beside a SQLite store when none is named), and alerts go out by the rules and \
            channels of `godwit alert`, or to GODWIT_ALERT_URL. Any number of these processes may run: \
            one archives a queue at a time, and an alert is sent once.

            Without GODWIT_TOKEN it listens on loopback only; with it, every request needs the \
            header `Authorization: Bearer TOKEN`. Requests that name another host than its address, \
            localhost or a --host are refused (421). SIGTERM or SIGINT ends it.
            """)

    @Option(
        help: ArgumentHelp("Where to listen; port 0 lets the system choose.", valueName: "address"),
        transform: Serve.address)
    var http: ListenAddress = .loopback
    @Option(
        help: ArgumentHelp("Where the gRPC door listens; none without it.", valueName: "address"),
        transform: Serve.address)
    var grpc: ListenAddress?
    @Option(help: "A further name to answer for; may be repeated.")
    var host: [String] = []
    @Flag(help: "Listen for others without a token: everybody there may read.")
    var insecureNoAuth = false
    @Flag(help: "Archive nothing: another process does.")
    var noArchive = false
    @Flag(help: "Send no alerts: another process does.")
    var noAlerts = false
    @Option(
        help: ArgumentHelp(
            "An internal host that alerts may be sent to, without TLS too; may be repeated. Also GODWIT_ALERT_HOSTS.",
            valueName: "host:port"))
    var alertHost: [String] = []
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let metrics = OpenMetricsFactory()
        MetricsSystem.bootstrap(metrics)
        let token = ProcessInfo.processInfo.environment["GODWIT_TOKEN"].flatMap {
            $0.isEmpty ? nil : $0
        }
        // Its own way with signals: it ends gracefully, with 0.
        try await store.withStore(handlesSignals: false) { store in
            let (watching, news) = try await watching(store)
            let server: MonitorServer
            do throws(MonitorServerError) {
                server = try MonitorServer(
                    store.broker, metrics: metrics, on: http, hosts: host, token: token,
                    allowsAnybody: insecureNoAuth
                ) { address in
                    Talk.say("serving \(store.name) on http://\(address)/metrics")
                    news.forEach { Talk.say($0) }
                }
            } catch {
                throw Failure(.usage, "\(error)" + Self.advice(error))
            }
            var doors: [any Service] = [server]
            if let grpc {
                doors.append(
                    QueueServer(
                        store.broker, host: grpc.host, port: grpc.port, interceptors: [LetIn()]
                    ) { port in Talk.say("gRPC on \(grpc.host):\(port)") })
            }
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: doors + watching, gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: Logger.current))
            try await group.run()
        }
    }

    /// What else runs beside the server, and what to say of it.
    private func watching(_ open: OpenStore) async throws -> ([any Service], [String]) {
        var services: [any Service] = []
        var news: [String] = []
        if !noArchive {
            if let history = try await open.history.storeForArchiving() {
                services.append(Archiver(open.broker, into: history))
                news.append("archiving into \(open.history.name)")
            } else {
                news.append(
                    "no --history is named: nothing is archived, and events wait up to their bound")
            }
        }
        if !noAlerts {
            let listed = ProcessInfo.processInfo.environment["GODWIT_ALERT_HOSTS"] ?? ""
            var options = AlertSender.Options()
            do {
                options.guardian = try DialGuard(
                    list: (alertHost + [listed]).joined(separator: ","))
            } catch {
                throw Failure(.usage, "--alert-host or GODWIT_ALERT_HOSTS: \(error)")
            }
            let sender = AlertSender(on: open.broker, options: options)
            var watch = AlertWatch.Options()
            watch.sender = sender
            services += [AlertWatch(on: open.broker, options: watch), sender]
            news.append("sending alerts; `godwit alert list` shows the rules")
        }
        return (services, news)
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
