// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
import Metrics
public import ServiceLifecycle
import Synchronization

/// Delivers alerts: a worker on the queue `godwit.alerts`, so a dead endpoint costs other workers nothing.
///
/// A failed delivery is repeated with jitter until the alert is a day old, at least every ten minutes;
/// 429 and its `Retry-After` hold for all messages of the channel, and to wait for a turn costs nothing. What can't be delivered ends among that queue's dead letters and
/// in the log, and is never alerted itself.
public final class AlertSender: Service, Sendable {
    public struct Options: Sendable {
        /// Where may be dialled. From the process's configuration, never from the store.
        public var guardian = DialGuard.ofProcess()
        /// Where secrets are read.
        public var secrets: SecretReader
        /// A page that shows more, for example the dashboard's; goes along with each alert.
        public var link: String?
        /// How many deliveries are under way at once.
        public var concurrency = 4
        /// What one delivery may take, the resolver included.
        public var deadline = Duration.seconds(5)
        /// Between two messages of one channel: chat services take about one a second.
        public var pace = Duration.seconds(1)

        public init(secrets: SecretReader = .ofProcess()) { self.secrets = secrets }
    }

    /// What one test message came to.
    public struct Trial: Sendable, Hashable {
        public var isDelivered: Bool
        /// Host and last four characters, or where the URL should have been.
        public var place: String
        /// One sentence for the one who asked.
        public var text: String
    }

    private let broker: any Broker
    private let options: Options
    private let book: AlertBook
    private let webhook: Webhook
    private let paces = Mutex<[String: Timestamp]>([:])

    public convenience init(on broker: any Broker, options: Options = Options()) {
        self.init(on: broker, options: options, resolver: SystemResolver())
    }

    package init(on broker: any Broker, options: Options, resolver: any HostResolver) {
        self.broker = broker
        self.options = options
        book = AlertBook(broker.board)
        webhook = Webhook(options.guardian, resolver: resolver, deadline: options.deadline)
    }

    /// Delivers until a graceful shutdown.
    public func run() async throws {
        let worker = Worker(
            Queue(AlertQueue.name, on: broker), concurrency: max(1, options.concurrency)
        ) { self.register(in: &$0) }
        try await worker.run()
    }

    /// Handles ``Alert`` in a worker of somebody else's.
    public func register(in handlers: inout Handlers) {
        handlers.handle(Alert.self) { alert, context in
            try await self.deliver(alert, attempt: context.attempt)
        }
    }

    /// Sends one test message through a channel at once, without queue, rules or repetition.
    public func test(_ channel: AlertChannel) async -> Trial {
        let alert = Alert(
            channel: channel.name,
            message: AlertMessage(testAt: broker.time.now() + broker.clockOffset))
        let url: WebhookURL
        do {
            url = try WebhookURL(try options.secrets.text(at: channel.url))
        } catch {
            return Trial(
                isDelivered: false, place: "\(channel.url)",
                text: "nothing was sent: \(error.reason)")
        }
        switch await post(alert, by: channel, to: url, attempt: 1) {
        case .delivered(let status):
            return Trial(
                isDelivered: true, place: "\(url)",
                text: "\(url.host) took it and answers \(status)")
        case .later(let reason, _):
            return Trial(
                isDelivered: false, place: "\(url)",
                text: "not delivered: \(reason). An alert would be sent again; try later")
        case .refused(let reason):
            return Trial(
                isDelivered: false, place: "\(url)",
                text: "not delivered, and an alert would not be sent again: \(reason)")
        }
    }

    /// One delivery. Returns when it is there; throws what becomes of the message otherwise.
    package func deliver(_ alert: Alert, attempt: Int) async throws {
        guard let channel = try await channel(alert.channel) else {
            throw drop(
                alert, "there is no channel '\(alert.channel)': keep one, or set GODWIT_ALERT_URL")
        }
        let text: String
        do {
            text = try options.secrets.text(at: channel.url)
        } catch {
            // Why not a reject: another sender, or this one after a restart, may have the secret.
            throw failure(of: alert, error.reason)
        }
        let url: WebhookURL
        do { url = try WebhookURL(text) } catch { throw drop(alert, error.reason) }
        try await waitForTurn(of: alert)
        switch await post(alert, by: channel, to: url, attempt: attempt) {
        case .delivered:
            count(alert, "delivered")
        case .refused(let reason):
            throw drop(alert, reason)
        case .later(let reason, let after):
            if let after {
                let until = broker.time.now() + after
                paces.withLock { $0[channel.name] = max($0[channel.name] ?? until, until) }
            }
            throw failure(of: alert, reason, after: after)
        }
    }

    /// What becomes of an alert that could not be delivered now.
    private func failure(
        of alert: Alert, _ reason: String, after: Duration? = nil
    ) -> any Error {
        count(alert, "failed")
        if isTooOld(alert) { return drop(alert, reason) }
        Logger.current.notice("alert \(alert.id) waits: \(reason.escapedForDisplay)")
        guard let after else { return DeliveryFailed(description: reason) }
        return Verdict.retry(after: after + jitter(of: after), reason: reason)
    }

    private func isTooOld(_ alert: Alert) -> Bool {
        broker.time.now() + broker.clockOffset - alert.message.at >= Alert.longestWait
    }

    private func channel(_ name: String) async throws -> AlertChannel? {
        if let channel = try await book.channel(name) { return channel }
        guard name == AlertChannel.defaultName else { return nil }
        return AlertChannel.fromEnvironment(options.secrets.environment)
    }

    private func post(
        _ alert: Alert, by channel: AlertChannel, to url: WebhookURL, attempt: Int
    ) async -> Webhook.Outcome {
        do {
            let body: [UInt8]
            var headers: [(String, String)] = []
            switch channel.form {
            case .slack: body = try WebhookBody.slack(alert, link: options.link)
            case .generic: body = try WebhookBody.generic(alert, link: options.link)
            }
            var secrets: [WebhookSecret] = []
            for place in [channel.secret, channel.previousSecret] {
                guard let place else { continue }
                secrets.append(WebhookSecret(try options.secrets.text(at: place)))
            }
            // Why the machine's clock: receivers compare it with theirs, not with the store's.
            let now = SystemTime().now()
            if let value = WebhookSignature.value(of: body, at: now, secrets: secrets) {
                headers.append((WebhookSignature.header, value))
            }
            return await webhook.post(body, to: url, headers: headers, turn: attempt - 1)
        } catch {
            return .later("\(error)", after: nil)
        }
    }

    /// One message at a time on a channel, about one a second; far turns are taken by coming again.
    private func waitForTurn(of alert: Alert) async throws {
        let channel = alert.channel
        let now = broker.time.now()
        let pace = options.pace
        let start = paces.withLock { paces -> Timestamp in
            if paces.count > 1000 { paces = paces.filter { $0.value > now } }
            let start = max(paces[channel] ?? now, now)
            if start - now <= .seconds(15) { paces[channel] = start + pace }
            return start
        }
        let wait = start - now
        if wait > .seconds(15) {
            let reason = "the channel \(channel) was told to wait"
            if isTooOld(alert) { throw drop(alert, reason) }
            throw Verdict.retry(after: wait + jitter(of: wait), reason: reason)
        }
        if wait > .zero { await broker.time.sleep(for: wait) }
        try Task.checkCancellation()
    }

    private func jitter(of delay: Duration) -> Duration {
        .milliseconds(Int64.random(in: 0...max(1, delay.milliseconds / 4)))
    }

    /// To the dead letters, and into the log: nobody is alerted of an alert.
    private func drop(_ alert: Alert, _ reason: String) -> Verdict {
        count(alert, "dropped")
        Logger.current.error(
            """
            alert \(alert.id) could not be delivered on '\(alert.channel)' and is dead: \
            \(reason.escapedForDisplay). It said: \(alert.text(link: nil).cut(to: 300).escapedForDisplay)
            """)
        return .reject(reason)
    }

    private func count(_ alert: Alert, _ outcome: String) {
        Counter(
            label: "godwit_alerts_total",
            dimensions: [("rule", alert.message.rules.first ?? "none"), ("outcome", outcome)]
        ).increment()
    }
}

/// A delivery that is to be repeated by the job's own policy.
struct DeliveryFailed: Error, CustomStringConvertible {
    var description: String
}
