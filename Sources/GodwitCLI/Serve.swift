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

            --grpc opens a door for clients in any language (grpc://127.0.0.1:50051): they need a \
            token of `godwit token add`. For others than this machine it needs --grpc-cert and \
            --grpc-key.
            """)

    @Option(
        help: ArgumentHelp("Where to listen; port 0 lets the system choose.", valueName: "address"),
        transform: Serve.address)
    var http: ListenAddress = .loopback
    @Option(
        help: ArgumentHelp("Where the gRPC door listens; none without it.", valueName: "address"),
        transform: Serve.address)
    var grpc: ListenAddress?
    @Option(
        help: ArgumentHelp(
            "The door's certificate, in PEM form; read when it starts.", valueName: "file"))
    var grpcCert: String?
    @Option(help: ArgumentHelp("The key of the certificate.", valueName: "file"))
    var grpcKey: String?
    @Option(
        help: ArgumentHelp(
            "Clients need a certificate of these authorities too (mTLS).", valueName: "file"))
    var grpcClientCa: String?
    @Flag(help: "The door may do without TLS for others too: something in front does it.")
    var grpcPlaintext = false
    @Option(help: "A further name to answer for; may be repeated.")
    var host: [String] = []
    @Flag(
        help: """
            Without tokens: everybody who reaches --http may read, and on this machine everybody may do \
            everything through --grpc.
            """)
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
                doors.append(try door(grpc, store))
            }
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: doors + watching, gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: Logger.current))
            try await group.run()
        }
    }

    private func door(_ address: ListenAddress, _ store: OpenStore) throws -> QueueServer {
        var options = DoorOptions()
        options.host = address.host
        options.port = address.port
        options.allowsPlaintext = grpcPlaintext
        options.letsAnybodyIn = insecureNoAuth
        if let grpcCert, let grpcKey {
            options.tls = DoorOptions.TLS(
                certificate: grpcCert, key: grpcKey, clientAuthorities: grpcClientCa)
        }
        do throws(DoorError) {
            let scheme = options.tls == nil ? "grpc" : "grpcs"
            let host = address.host.contains(":") ? "[\(address.host)]" : address.host
            return try QueueServer(store.broker, options: options) { port in
                Talk.say("gRPC on \(scheme)://\(host):\(port)")
            }
        } catch {
            throw Failure(error.code, "\(error)\(error.flags)")
        }
    }

    func validate() throws {
        if (grpcCert == nil) != (grpcKey == nil) {
            throw ValidationError("--grpc-cert and --grpc-key belong together: give both.")
        }
        if grpcClientCa != nil, grpcCert == nil {
            throw ValidationError("--grpc-client-ca needs --grpc-cert and --grpc-key.")
        }
        if grpc == nil, grpcCert != nil || grpcPlaintext {
            throw ValidationError("there is no gRPC door: give --grpc ADDRESS with it.")
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

extension DoorError {
    fileprivate var code: Failure.Code {
        switch self {
        case .file: .noInput
        default: .usage
        }
    }

    /// The flags of the command that mend it.
    fileprivate var flags: String {
        switch self {
        case .plaintext: " The flags are --grpc-cert and --grpc-key, or --grpc-plaintext."
        case .open: " Leave --insecure-no-auth out."
        default: ""
        }
    }
}
