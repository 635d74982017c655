// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

/// Where alerts go: a webhook, and how it is spoken to.
///
/// The store keeps the channel, and of its secrets only where they are found: the name of an
/// environment variable or of a file at the process that sends. Text in clear is possible, and has to
/// be asked for by its own name, because whoever can read the store can then read it.
public struct AlertChannel: Sendable, Hashable, Codable {
    public enum Form: String, Sendable, Hashable, Codable, CaseIterable {
        /// `{"text": …}` as Slack, Mattermost, Rocket.Chat and Discord (with `/slack`) take it.
        case slack
        /// JSON with `schema: 1`, signed.
        case generic
    }

    /// Rules without a channel of their own speak to this one.
    public static let defaultName = "default"

    public var name: String
    public var form: Form
    public var url: SecretPlace
    /// What signs; none: unsigned.
    public var secret: SecretPlace?
    /// While the secret is being changed: the old one signs too.
    public var previousSecret: SecretPlace?

    public init(
        name: String, form: Form, url: SecretPlace, secret: SecretPlace? = nil,
        previousSecret: SecretPlace? = nil
    ) {
        self.name = name
        self.form = form
        self.url = url
        self.secret = secret
        self.previousSecret = previousSecret
    }

    /// The channel `default` of a process that has `GODWIT_ALERT_URL` in its environment: generic where
    /// `GODWIT_ALERT_SECRET` is there too, else Slack-compatible.
    public static func fromEnvironment(_ environment: [String: String]) -> AlertChannel? {
        guard environment["GODWIT_ALERT_URL"]?.isEmpty == false else { return nil }
        let isSigned = environment["GODWIT_ALERT_SECRET"]?.isEmpty == false
        return AlertChannel(
            name: defaultName, form: isSigned ? .generic : .slack,
            url: .environment("GODWIT_ALERT_URL"),
            secret: isSigned ? .environment("GODWIT_ALERT_SECRET") : nil,
            previousSecret: environment["GODWIT_ALERT_SECRET_OLD"]?.isEmpty == false
                ? .environment("GODWIT_ALERT_SECRET_OLD") : nil)
    }

    /// What is wrong with the channel; nil when it can be kept.
    public var problem: String? {
        if !AlertRule.isName(name) {
            return
                "'\(name.escapedForDisplay)' can't name a channel: use 1 to 64 of A–Z a–z 0–9 . _ -"
        }
        for place in [url, secret, previousSecret] {
            if let problem = place?.problem { return problem }
        }
        if case .clear(let text) = url {
            do { _ = try WebhookURL(text) } catch { return error.reason }
        }
        return nil
    }
}

/// Where a secret is found.
@nonexhaustive
public enum SecretPlace: Sendable, Hashable, Codable {
    /// A variable whose name begins with `GODWIT_ALERT_`, at the process that sends.
    case environment(String)
    /// A file whose name begins with `alert`, in the folder of secrets of the process that sends.
    case file(String)
    /// The text itself, in the store, for everybody who can read it.
    case clear(String)

    /// Asked when it is kept and when it is read. Why: a writer of the store must not choose any other
    /// credential of the sender as a key or a URL.
    var problem: String? {
        switch self {
        case .environment(let name):
            name.hasPrefix("GODWIT_ALERT_") && name.utf8.count <= 128 && AlertRule.isName(name)
                ? nil
                : "'\(name.escapedForDisplay)' can't hold a secret: the variable's name must begin with GODWIT_ALERT_"
        case .file(let name):
            AlertRule.isName(name) && name.hasPrefix("alert")
                ? nil
                : "'\(name.escapedForDisplay)' can't hold a secret: give the name of a file in the folder of secrets that begins with 'alert', without a path"
        case .clear(let text):
            text.isEmpty || text.utf8.count > 4096 ? "a secret in clear has 1 to 4,096 bytes" : nil
        }
    }
}

extension SecretPlace: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .environment(let name): "environment:\(name)"
        case .file(let name): "file:\(name)"
        case .clear: "<redacted>"
        }
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["place": description]) }
}

/// Reads secrets at the process that sends.
public struct SecretReader: Sendable {
    /// The variables that may be read.
    public var environment: [String: String]
    /// The folder of secret files, as Docker, Kubernetes and systemd make it; nil: none.
    public var folder: String?

    public init(environment: [String: String], folder: String?) {
        self.environment = environment
        self.folder = folder
    }

    /// This process's environment; the folder is `GODWIT_SECRETS`, else `CREDENTIALS_DIRECTORY`
    /// (systemd), else `/run/secrets`.
    public static func ofProcess() -> SecretReader {
        let environment = ProcessInfo.processInfo.environment
        return SecretReader(
            environment: environment,
            folder: environment["GODWIT_SECRETS"] ?? environment["CREDENTIALS_DIRECTORY"]
                ?? "/run/secrets")
    }

    /// The secret without line ends around it; throws, without the text, when there is none.
    public func text(at place: SecretPlace) throws(WebhookRefusal) -> String {
        if let problem = place.problem { throw WebhookRefusal(problem) }
        let text: String
        switch place {
        case .environment(let name):
            text = environment[name] ?? ""
        case .file(let name):
            guard let folder else {
                throw WebhookRefusal("there is no folder of secrets for \(place)")
            }
            guard let file = FileHandle(forReadingAtPath: "\(folder)/\(name)"),
                let data = try? file.read(upToCount: 4097), data.count <= 4096
            else {
                throw WebhookRefusal("\(place) in \(folder) can't be read, or has over 4,096 bytes")
            }
            text = String(decoding: data, as: UTF8.self)
        case .clear(let clear):
            text = clear
        }
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !trimmed.isEmpty else {
            throw WebhookRefusal("\(place) is empty at the process that sends")
        }
        return trimmed
    }
}
