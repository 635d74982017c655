// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Metrics

extension AlertWatch {
    /// Enqueues all that waits, a job for each channel. What was enqueued before is known by its id.
    ///
    /// On the board it still waits afterwards: it goes from there with the decisions that are kept next,
    /// once the groups are kept that it spoke of.
    func enqueueWaiting(_ report: inout Report) async throws(BrokerError) {
        guard let waiting = memory?.waiting, !waiting.isEmpty else { return }
        try await prepareQueue()
        let rules = try await book.rules()
        let queue = Queue(AlertQueue.name, on: broker)
        for message in waiting {
            for channel in channels(of: message, rules) {
                let alert = Alert(
                    channel: channel, message: message,
                    payload: await payload(of: message, rules))
                let outcome = try await enqueue(alert, to: queue)
                count(message, outcome)
                switch outcome {
                case .enqueued: report.enqueued += 1
                case .known: report.known += 1
                case .dropped: report.dropped += 1
                }
            }
            memory?.waiting.removeAll { $0 == message }
        }
    }

    private enum Enqueuing: String {
        case enqueued, known, dropped
    }

    private func enqueue(
        _ alert: Alert, to queue: Queue
    ) async throws(BrokerError) -> Enqueuing {
        do {
            return try await queue.enqueue(alert, .id(alert.id)).isNew ? .enqueued : .known
        } catch {
            switch error {
            case .broker(let problem, _): throw problem
            // Its record is gone, so it was here.
            case .recordGone: return .known
            default:
                Logger.current.error(
                    """
                    alerts: '\(AlertQueue.name)' takes no more and an alert is dropped; is a sender \
                    running? \(error) The alert said: \
                    \(alert.text(link: nil).cut(to: 300).escapedForDisplay)
                    """)
                return .dropped
            }
        }
    }

    /// Once the store takes no writes, its alert can't be a job: it goes out from here.
    func sayDirectly(_ report: inout Report) async {
        guard refusedSince != nil, isOnDuty, memory != nil else { return }
        // Why the defaults: rules that can't be read now are better replaced than silent.
        let rules = (try? await book.rules()) ?? AlertRule.defaults
        let messages = memory?.judge.judge(refusals(rules), at: now) ?? []
        report.messages += messages
        memory?.waiting += messages
        let surplus = (memory?.waiting.count ?? 0) - AlertMemory.mostWaiting
        memory?.waiting.removeFirst(max(0, surplus))
        for message in memory?.waiting ?? [] where message.trigger == .storeRefuses {
            memory?.waiting.removeAll { $0 == message }
            for channel in channels(of: message, rules) {
                let alert = Alert(channel: channel, message: message)
                guard let sender = options.sender else {
                    Logger.current.error(
                        "alerts: the store takes no alert. It said: \(alert.text(link: nil).escapedForDisplay)"
                    )
                    continue
                }
                do {
                    try await sender.deliver(alert, attempt: 1)
                    report.enqueued += 1
                } catch {
                    Logger.current.error(
                        "alerts: the store takes no alert, nor did '\(channel)': \("\(error)".escapedForDisplay)"
                    )
                }
            }
        }
    }

    private func channels(of message: AlertMessage, _ rules: [AlertRule]) -> [String] {
        let channels = rules.filter { message.rules.contains($0.name) }.flatMap(\.channels)
        return Array(Set(channels)).sorted()
    }

    /// The first sample's payload where the rule asks: text as it is, other bytes by their number.
    private func payload(of message: AlertMessage, _ rules: [AlertRule]) async -> String? {
        guard let key = message.key, let sample = message.samples.first,
            rules.contains(where: { $0.name == key.rule && $0.includesPayload }),
            let id = MessageID(sample), let queue = try? QueueName(key.queue),
            let body = try? await broker.inspector.message(id, in: queue)?.body,
            let payload = try? Envelope(body).payload
        else { return nil }
        let start = payload.prefix(2048)
        guard let text = String(validating: start, as: UTF8.self) else {
            return "\(payload.count) bytes that are no text"
        }
        return start.count < payload.count ? text + "…" : text
    }

    /// Bounds the queue, once per process. Dead alerts take a fifth of it at most: they are logged.
    private func prepareQueue() async throws(BrokerError) {
        guard !isPrepared else { return }
        var settings = try await broker.operator.settings(of: AlertQueue.name)
        settings.maxMessages = AlertQueue.maxMessages
        settings.keepDead = AlertQueue.maxMessages / 5
        settings.keepDeadMilliseconds = min(settings.keepDeadMilliseconds, 7 * 86_400_000)
        try await broker.operator.apply(settings, to: AlertQueue.name)
        isPrepared = true
    }

    private func count(_ message: AlertMessage, _ outcome: Enqueuing) {
        Counter(
            label: "godwit_alerts_total",
            dimensions: [("rule", message.rules.first ?? "none"), ("outcome", outcome.rawValue)]
        ).increment()
    }
}
