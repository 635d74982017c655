// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Testing

@Suite struct `Alert text` {
    private let now = Timestamp(milliseconds: 1_767_225_600_000)

    private func alert(_ text: String, payload: String? = nil) -> Alert {
        var judge = AlertJudge()
        let signal = AlertSignal(
            rule: "new-group", trigger: .newGroup, queue: "mail", group: "g", text: text, count: 1,
            samples: ["a", "b", "c"], at: now)
        return Alert(
            channel: "default", message: judge.judge([signal], at: now)[0], payload: payload)
    }

    private func slack(_ text: String) throws -> String {
        let body = try WebhookBody.slack(alert(text), link: nil)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect(Set(object.keys) == ["text", "mrkdwn"])
        #expect(object["mrkdwn"] as? Bool == false)
        return try #require(object["text"] as? String)
    }

    @Test
    func `mentions and spoofed links are inert`() throws {
        let text = try slack(
            "<!channel> <@U1> <https://evil|https://bank.example> a & b &lt;!here&gt;")
        #expect(!text.contains("<"))
        #expect(!text.contains(">"))
        #expect(
            text.contains(
                "&lt;!channel&gt; &lt;@\u{2060}U1&gt; &lt;https://evil|https://bank.example&gt; a &amp; b &amp;lt;!here&amp;gt;"
            ))
        // Hidden characters between go first, so that they do not keep the joiner away.
        let other = try slack("@here @\u{200B}all @everyone [log in](https://evil) [a]\u{200B}(b)")
        for mark in ["@h", "@a", "@e", "]("] {
            #expect(!other.unicodeScalars.contains(mark.unicodeScalars), "\(mark)")
        }
        #expect(other.contains("@\u{2060}here @\u{2060}all"))
        #expect(other.contains("]\u{2060}(https://evil) [a]\u{2060}(b)"))
        let linked = try WebhookBody.slack(alert("x"), link: "https://ops.example/@me")
        #expect(String(decoding: linked, as: UTF8.self).contains("https://ops.example/@me"))
    }

    @Test
    func `control characters and those that turn or hide text are gone`() throws {
        let hidden =
            "\u{1B}[31mred\u{7} a\u{202E}b\u{2066}c\u{200B}d\u{FEFF}e\u{0}f\u{E0041}g\u{85}h\nnext\tline"
        let text = try slack(hidden)
        #expect(text.contains("[31mred abcdefgh next line"))
        for scalar in text.unicodeScalars where scalar != "\n" {
            #expect(scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value))
        }
        #expect(try slack("Grüße 日本 👩‍🚀").contains("Grüße 日本"))
    }

    @Test
    func `a long text is cut at 3,000 characters and never within an escape`() throws {
        #expect(AlertText.cut(String(repeating: "x", count: 3000)).count == 3000)
        #expect(AlertText.cut(String(repeating: "x", count: 40_000)).count == 3000)
        for shift in 0..<12 {
            let escaped = AlertText.escaped(
                String(repeating: "x", count: shift) + String(repeating: "<&>", count: 2000))
            let cut = AlertText.cut(escaped)
            #expect(cut.unicodeScalars.count <= 3000 && cut.hasSuffix("…"))
            let plain = cut.dropLast().replacing("&lt;", with: "").replacing("&gt;", with: "")
                .replacing("&amp;", with: "")
            #expect(!plain.contains("&"), "cut within an escape: \(cut.suffix(12))")
        }
        #expect(try slack(String(repeating: "<", count: 40_000)).unicodeScalars.count <= 3000)
    }

    @Test
    func `the generic body has its schema, and a payload only when there is one`() throws {
        let alert = alert("it failed")
        let body = try WebhookBody.generic(alert, link: "https://ops.example/q/mail")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect(object["schema"] as? Int == 1)
        #expect(object["event"] as? String == alert.id.description)
        #expect(object["rule"] as? String == "new-group")
        #expect(object["queue"] as? String == "mail")
        #expect(object["count"] as? Int == 1)
        #expect(object["samples"] as? [String] == ["a", "b", "c"])
        #expect(object["link"] as? String == "https://ops.example/q/mail")
        #expect(object["payload"] == nil)
        let asked = try WebhookBody.generic(self.alert("x", payload: "{}"), link: nil)
        #expect(String(decoding: asked, as: UTF8.self).contains(#""payload":"{}""#))
    }

    @Test
    func `a rule or a channel that can't be is refused with a reason`() {
        #expect(AlertRule.defaults.allSatisfy { $0.problem == nil })
        #expect(Set(AlertRule.defaults.map(\.trigger)) == Set(AlertRule.Trigger.allCases))
        var rule = AlertRule(name: "a", trigger: .age)
        rule.name = "channel:x"
        #expect(rule.problem != nil)
        rule.name = "a\u{1B}"
        #expect(rule.problem?.contains("\u{1B}") == false)
        #expect(AlertRule(name: "a", trigger: .age, threshold: 0).problem != nil)
        #expect(AlertRule(name: "a", trigger: .age, windowSeconds: 1).problem != nil)
        #expect(AlertRule(name: "a", trigger: .age, channels: []).problem != nil)
        for query in [
            "args.n:5", "key:a", "tag:a", "trace:a", "size>1", "timeout", "-has:args.n",
            "kind:mail args.user.id:7",
        ] {
            let problem = AlertRule(name: "a", trigger: .newGroup, query: query).problem
            #expect(problem?.contains("without bodies") == true, "\(query)")
        }
        let fit = "kind:mail error:\"timed out\" attempt>2 -fingerprint:a worker:7"
        #expect(AlertRule(name: "a", trigger: .newGroup, query: fit).problem == nil)
        func channel(_ url: SecretPlace) -> AlertChannel {
            AlertChannel(name: "c", form: .slack, url: url)
        }
        #expect(channel(.environment("GODWIT_ALERT_URL")).problem == nil)
        // Who writes the store must not choose any variable or file of the sender.
        #expect(channel(.environment("AWS_SECRET_ACCESS_KEY")).problem != nil)
        #expect(channel(.file("../../etc/passwd")).problem != nil)
        #expect(channel(.file("..")).problem != nil)
        #expect(channel(.file("alert-hook-url")).problem == nil)
        #expect(channel(.file("db-password")).problem != nil)
        #expect(channel(.environment("GODWIT_REDIS_PASSWORD")).problem != nil)
        #expect(channel(.clear("https://u@hooks.example/x")).problem != nil)
        var dumped = ""
        dump(channel(.clear("https://hooks.example/SECRET")), to: &dumped)
        #expect(!dumped.contains("SECRET"))
        #expect(!"\(channel(.clear("https://hooks.example/SECRET")))".contains("SECRET"))
    }
}
