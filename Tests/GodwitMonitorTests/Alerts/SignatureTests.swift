// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

@Suite struct `Webhook signature` {
    private let body = Array(#"{"schema":1}"#.utf8)
    private let now = Timestamp(milliseconds: 1_767_225_600_123)
    private let secret = WebhookSecret("whsec-one")

    @Test
    func `a known text has the code that other tools compute`() {
        // printf '1767225600.{"schema":1}' | openssl dgst -sha256 -hmac whsec-one
        let value = WebhookSignature.value(of: body, at: now, secrets: [secret])
        #expect(
            value
                == "t=1767225600,v1=93850a59c9b41ce45d82d64d487f0fb537dc760c4f4aa91cf79a2b265b6c9ad7"
        )
    }

    @Test
    func `what was signed is taken, and nothing that differs from it`() throws {
        let value = try #require(WebhookSignature.value(of: body, at: now, secrets: [secret]))
        func isGood(_ value: String, _ body: [UInt8]) -> Bool {
            WebhookSignature.verify(value, body: body, secrets: [secret], at: now)
        }
        #expect(isGood(value, body))
        for place in body.indices {
            var changed = body
            changed[place] ^= 1
            #expect(!isGood(value, changed))
        }
        #expect(!isGood(value, body + [0x20]))
        for place in value.indices where value[place] != " " {
            var changed = value
            changed.replaceSubrange(place...place, with: value[place] == "1" ? "2" : "1")
            #expect(!isGood(changed, body), "\(changed)")
        }
        for wrong in [
            "", "t=", "v1=", "t=1767225600", "t=1767225600,v1=", "t=1767225600,t=1767225600,v1=00",
            String(repeating: "v1=00,", count: 400), "t=-1,v1=0", "t=99999999999999999999,v1=0",
        ] {
            #expect(!isGood(wrong, body))
        }
    }

    @Test
    func `the time is signed too, and holds for five minutes in both directions`() throws {
        let value = try #require(WebhookSignature.value(of: body, at: now, secrets: [secret]))
        func isGood(_ value: String, after seconds: Int) -> Bool {
            WebhookSignature.verify(
                value, body: body, secrets: [secret], at: now + .seconds(seconds))
        }
        #expect(isGood(value, after: 299))
        #expect(isGood(value, after: -299))
        #expect(!isGood(value, after: 301))
        #expect(!isGood(value, after: -301))
        // An old message under a new time is a replay: its code does not fit.
        let later = now.milliseconds / 1000 + 400
        let replayed = value.replacing("t=1767225600", with: "t=\(later)")
        #expect(!isGood(replayed, after: 400))
    }

    @Test
    func `while a secret is changed the old and the new one are both good`() throws {
        let old = WebhookSecret("old")
        let new = WebhookSecret("new")
        let value = try #require(WebhookSignature.value(of: body, at: now, secrets: [new, old]))
        #expect(value.split(separator: ",").count == 3)
        for known in [[old], [new], [new, old], [WebhookSecret("x"), old]] {
            #expect(WebhookSignature.verify(value, body: body, secrets: known, at: now))
        }
        #expect(!WebhookSignature.verify(value, body: body, secrets: [], at: now))
        #expect(
            !WebhookSignature.verify(value, body: body, secrets: [WebhookSecret("")], at: now))
        #expect(WebhookSignature.value(of: body, at: now, secrets: [WebhookSecret("")]) == nil)
        var dumped = ""
        dump(old, to: &dumped)
        #expect(!"\(old) \(String(reflecting: old)) \(dumped)".contains("old\""))
    }
}
