// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

/// The bytes that are posted.
package enum WebhookBody {
    /// `{"text": …, "mrkdwn": false}`: no mention, no link by name, nothing unfurled, because Slack does
    /// those only when asked.
    package static func slack(_ alert: Alert, link: String?) throws -> [UInt8] {
        struct Body: Encodable {
            var text: String
            let mrkdwn = false
        }
        // Why not the link: it is the operator's own, and must stay one.
        var text = AlertText.inert(alert.text(link: nil))
        if let link { text += "\n" + AlertText.clean(link) }
        text = AlertText.cut(AlertText.escaped(text))
        return try encoded(Body(text: text))
    }

    /// Schema 1 of the generic webhook. Fields may be added; none changes its meaning.
    package static func generic(_ alert: Alert, link: String?) throws -> [UInt8] {
        struct Body: Encodable {
            let schema = 1
            var event: String
            var phase: String
            var rule: String?
            var trigger: String
            var queue: String?
            var group: String?
            var text: String
            var count: Int
            var groups: Int
            var samples: [String]
            var firstAt: Int64
            var lastAt: Int64
            var at: Int64
            var link: String?
            var payload: String?
        }
        let message = alert.message
        return try encoded(
            Body(
                event: alert.id.description, phase: message.phase.rawValue, rule: message.key?.rule,
                trigger: message.trigger.rawValue, queue: message.key?.queue,
                group: message.key?.group,
                text: AlertText.cut(
                    AlertText.clean(message.text, keepsLines: message.phase == .digest)),
                count: message.count, groups: message.groups,
                samples: message.samples.prefix(3).map { AlertText.clean($0) },
                firstAt: message.firstAt.milliseconds, lastAt: message.lastAt.milliseconds,
                at: message.at.milliseconds, link: link, payload: alert.payload))
    }

    private static func encoded(_ body: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(body))
    }
}
