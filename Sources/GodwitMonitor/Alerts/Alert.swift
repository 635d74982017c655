// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// An alert on its way to one channel: a job on the queue `godwit.alerts`.
public struct Alert: Job, Hashable {
    public static let name = "godwit.alert"

    public static let defaults = JobDefaults(
        // Why without end: to wait for a turn counts as an attempt too. Its age ends it.
        retry: .exponential(maxAttempts: nil, base: .seconds(2), cap: .seconds(600)),
        timeout: .seconds(60))

    /// From this age on it is dead when a delivery fails once more.
    package static let longestWait = Duration.seconds(86_400)

    public var channel: String
    public var message: AlertMessage
    /// The beginning of the first sample's payload, where the rule asks for it.
    public var payload: String?

    public init(channel: String, message: AlertMessage, payload: String? = nil) {
        self.channel = channel
        self.message = message
        self.payload = payload
    }

    /// The id of its job, and of its event at the receiver: there a repetition is known by it.
    public var id: MessageID { message.id(on: channel) }
}

extension Alert {
    /// What a person reads: plain text, unescaped, cleaned.
    package func text(link: String?) -> String {
        let message = message
        let place = message.key.map { $0.queue } ?? ""
        let head =
            switch message.phase {
            case .first: "\(message.trigger.title) · \(place)"
            case .update: "\(message.trigger.title) goes on · \(place)"
            case .resolved: "Resolved: \(message.trigger.title.lowercased()) · \(place)"
            case .digest: "\(message.groups) more groups, \(message.count) in all"
            case .test: "Test of the channel \(channel)"
            }
        var lines = ["[godwit] " + AlertText.clean(head)]
        lines.append(AlertText.clean(message.text, keepsLines: message.phase == .digest))
        if message.phase != .digest, message.phase != .test {
            var facts = "\(message.trigger.unit(message.count)), first \(message.firstAt.clock)"
            if message.lastAt > message.firstAt { facts += ", last \(message.lastAt.clock)" }
            lines.append(facts + " (UTC)")
        }
        if !message.samples.isEmpty {
            lines.append("e.g. " + AlertText.clean(message.samples.joined(separator: ", ")))
        }
        if let payload { lines.append("payload: " + AlertText.clean(payload)) }
        if let link { lines.append(AlertText.clean(link)) }
        return lines.joined(separator: "\n")
    }
}

extension AlertRule.Trigger {
    var title: String {
        switch self {
        case .newGroup: "Dead letters"
        case .deathRate: "Many dead letters"
        case .crashLoop: "Crash loop"
        case .age: "Jobs wait too long"
        case .noWorker: "No worker"
        case .stuck: "Stuck job"
        case .storeRefuses: "The store refuses writes"
        }
    }

    func unit(_ count: Int) -> String {
        switch self {
        case .newGroup, .crashLoop: "\(count) dead"
        case .deathRate: "\(count) dead within the window"
        case .age: "\(count) s old"
        case .noWorker: "\(count) ready"
        case .stuck: "\(count) s without progress"
        case .storeRefuses: "since \(count) s"
        }
    }
}

extension Timestamp {
    /// Hours, minutes and seconds of its day, in UTC.
    var clock: String {
        let second = (milliseconds / 1000 % 86_400 + 86_400) % 86_400
        return [second / 3600, second / 60 % 60, second % 60].map { part in
            part < 10 ? "0\(part)" : "\(part)"
        }.joined(separator: ":")
    }
}
