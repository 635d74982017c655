// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What one look saw of one queue.
struct QueueLook: Sendable {
    var queue: QueueName
    var now: Timestamp
    var counts = QueueCounts()
    /// Since the last look.
    var dead: [MessageRecord] = []
    var kinds: [KindCount] = []
    /// Since when the oldest ready one waits.
    var oldestReadyAt: Timestamp?
    /// How long a ready job may wait in this queue; nil: as the rule says.
    var target: Duration?
    /// The lease that should have been over the longest.
    var oldestLease: MessageRecord?
    /// Of all queues.
    var beats: [WorkerBeat] = []
}

extension AlertRule {
    /// What the rules see in a look: a pure function, but for the counts by time that `eyes` keeps.
    static func signals(
        of rules: [AlertRule], in look: QueueLook, _ eyes: inout AlertEyes
    ) -> [AlertSignal] {
        let active = rules.filter { $0.isActive(for: look.queue, at: look.now) }
        let tellsCrashLoops = active.contains { $0.trigger == .crashLoop }
        var signals: [AlertSignal] = []
        for rule in active {
            switch rule.trigger {
            case .newGroup:
                signals += rule.groups(in: look) { !tellsCrashLoops || !$0.isCrashLoop }
            case .crashLoop:
                signals += rule.groups(in: look) { $0.isCrashLoop }
            case .deathRate: signals += rule.rate(in: look, &eyes)
            case .age: signals += rule.age(in: look)
            case .noWorker: signals += rule.noWorker(in: look)
            case .stuck: signals += rule.stuck(in: look)
            case .storeRefuses: break
            }
        }
        return signals
    }

    private func signal(
        _ look: QueueLook, _ group: String, _ text: String, _ count: Int, _ samples: [String] = [],
        at: Timestamp? = nil
    ) -> AlertSignal {
        AlertSignal(
            rule: name, trigger: trigger, queue: look.queue.text, group: group, text: text,
            count: count, samples: samples, at: at ?? look.now)
    }

    private func groups(
        in look: QueueLook, where isMeant: (MessageRecord) -> Bool
    ) -> [AlertSignal] {
        var found: [String: AlertSignal] = [:]
        var order: [String] = []
        let filter = filter(in: look.queue, at: look.now)
        for record in look.dead where isMeant(record) && filter(record) {
            let kind = record.kind ?? ""
            let fingerprint = Fingerprint(kind: kind, reason: record.reason ?? "")
            let at = record.finishedAt ?? look.now
            var one: AlertSignal
            if let known = found[fingerprint.id] {
                one = known
            } else {
                order.append(fingerprint.id)
                let text = fingerprint.text.isEmpty ? "no reason given" : fingerprint.text
                one = signal(look, fingerprint.id, "\(kind): \(text)", 0, at: at)
            }
            one.count += 1
            one.at = max(one.at, at)
            if one.samples.count < 3 { one.samples.append("\(record.id)") }
            found[fingerprint.id] = one
        }
        return order.compactMap { found[$0] }
    }

    private func rate(in look: QueueLook, _ eyes: inout AlertEyes) -> [AlertSignal] {
        let filter = filter(in: look.queue, at: look.now)
        for record in look.dead where filter(record) {
            eyes.add(1, of: name, at: record.finishedAt ?? look.now)
        }
        let window = Duration.seconds(windowSeconds)
        let rate = eyes.rate(of: name, window: window, at: look.now)
        guard rate > threshold else { return [] }
        return [
            signal(
                look, "rate", "more than \(threshold) dead letters within \(windowSeconds) s", rate,
                look.dead.suffix(3).map { "\($0.id)" })
        ]
    }

    private func age(in look: QueueLook) -> [AlertSignal] {
        guard look.counts.ready > 0, let since = look.oldestReadyAt else { return [] }
        let target = look.target ?? .seconds(threshold)
        let age = look.now - since
        guard age > target else { return [] }
        let paused = look.counts.isPaused ? "; the queue is paused" : ""
        return [
            signal(
                look, "age",
                "the oldest ready job has waited longer than \(target.milliseconds / 1000) s\(paused)",
                Int(clamping: age.milliseconds / 1000))
        ]
    }

    private func noWorker(in look: QueueLook) -> [AlertSignal] {
        let beats = look.beats.filter { $0.queue == look.queue.text }
        return look.kinds.compactMap { kind in
            guard kind.ready > 0, let since = kind.oldestReadyAt,
                look.now - since >= .seconds(windowSeconds),
                !beats.contains(where: { $0.knows(kind.kind) })
            else { return nil }
            return signal(look, kind.kind, "no live worker knows '\(kind.kind)'", kind.ready)
        }
    }

    private func stuck(in look: QueueLook) -> [AlertSignal] {
        var found: [String: AlertSignal] = [:]
        for beat in look.beats where beat.queue == look.queue.text {
            for run in beat.running {
                let still = look.now - (run.progressedAt ?? run.since)
                guard still > .seconds(threshold) else { continue }
                let seconds = Int(clamping: still.milliseconds / 1000)
                var one =
                    found[run.kind]
                    ?? signal(
                        look, run.kind, "a run of '\(run.kind)' goes on without progress", seconds)
                one.count = max(one.count, seconds)
                if one.samples.count < 3 { one.samples.append(run.id) }
                found[run.kind] = one
            }
        }
        var signals = found.values.sorted { $0.group < $1.group }
        if let lease = look.oldestLease, let deadline = lease.leaseDeadline,
            look.now - deadline > .seconds(30)
        {
            signals.append(
                signal(
                    look, "lease", "a lease ran out and nobody takes it back: no worker lives here",
                    Int(clamping: (look.now - deadline).milliseconds / 1000), ["\(lease.id)"]))
        }
        return signals
    }
}

extension MessageRecord {
    var isCrashLoop: Bool { verdict == .crashLoop || (verdict == nil && reason == "crash-loop") }
}
