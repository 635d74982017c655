// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Metrics

extension AlertWatch {
    /// Enqueues what waits; where the store takes no writes, its own alert goes out from here, the
    /// others wait on, and the look goes on.
    func sendWaiting(_ report: inout Report) async throws(BrokerError) {
        if takesWrites {
            do {
                return try await enqueueWaiting(&report)
            } catch {
                guard case .storageFull = error else { throw error }
                note(error)
            }
        }
        await sayDirectly(&report)
    }

    /// Lets messages wait, within bounds: over them the oldest go, that of the store itself last.
    func wait(for messages: [AlertMessage]) {
        memory?.waiting += messages
        while let count = memory?.waiting.count, count > AlertMemory.mostWaiting {
            let index = memory?.waiting.firstIndex { $0.trigger != .storeRefuses } ?? 0
            guard let lost = memory?.waiting.remove(at: index) else { return }
            Logger.current.error(
                "alerts: too many wait for the store; dropped: \(lost.text.cut(to: 300).escapedForDisplay)"
            )
        }
    }

    /// Enqueues all that waits, a job for each channel. What was enqueued before is known by its id.
    ///
    /// On the board it still waits afterwards: it goes from there with the decisions that are kept next,
    /// once the groups are kept that it spoke of.
    func enqueueWaiting(_ report: inout Report) async throws(BrokerError) {
        guard let waiting = memory?.waiting, !waiting.isEmpty else { return }
        if !isPrepared { try await prepareQueue() }
        let rules = try await book.rules()
        let queue = Queue(AlertQueue.name, on: broker)
        for message in waiting {
            let channels = channels(of: message, rules)
            for channel in channels where !told.contains(message.id(on: channel)) {
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
            told.subtract(channels.map { message.id(on: $0) })
            memory?.waiting.removeAll { $0 == message }
        }
        refusedSince = nil
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

    /// Once the store takes no writes, its alert can't be a job: it goes out from here, at each look
    /// until every channel took it or refused it for good.
    func sayDirectly(_ report: inout Report) async {
        guard refusedSince != nil, isOnDuty, memory != nil else { return }
        // Why the defaults: rules that can't be read now are better replaced than silent.
        let rules = (try? await book.rules()) ?? AlertRule.defaults
        let messages = memory?.judge.judge(refusals(rules), at: now) ?? []
        report.messages += messages
        wait(for: messages)
        for message in memory?.waiting ?? [] where message.trigger == .storeRefuses {
            let channels = channels(of: message, rules)
            for channel in channels where !told.contains(message.id(on: channel)) {
                let alert = Alert(channel: channel, message: message)
                if await deliver(alert, &report) { told.insert(alert.id) }
            }
            let ids = channels.map { message.id(on: $0) }
            guard told.isSuperset(of: ids) else { continue }
            told.subtract(ids)
            memory?.waiting.removeAll { $0 == message }
        }
    }

    /// Whether there is nothing more to do for an alert that can't be a job.
    private func deliver(_ alert: Alert, _ report: inout Report) async -> Bool {
        guard let sender = options.sender else {
            Logger.current.error(
                "alerts: the store takes no alert. It said: \(alert.text(link: nil).escapedForDisplay)"
            )
            return true
        }
        do {
            try await sender.deliver(alert, attempt: 1)
            report.enqueued += 1
            return true
        } catch Verdict.reject {
            // The sender logged it.
            return true
        } catch {
            Logger.current.error(
                "alerts: the store takes no alert, nor did '\(alert.channel)' now: \("\(error)".escapedForDisplay)"
            )
            return false
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

    /// Bounds the queue, once per process; writes its settings as they are at any other call, because
    /// a full store refuses that. Dead alerts take a fifth of it at most: they are logged.
    func prepareQueue() async throws(BrokerError) {
        var settings = try await broker.operator.settings(of: AlertQueue.name)
        if !isPrepared {
            settings.maxMessages = AlertQueue.maxMessages
            settings.keepDead = AlertQueue.maxMessages / 5
            settings.keepDeadMilliseconds = min(settings.keepDeadMilliseconds, 7 * 86_400_000)
        }
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
