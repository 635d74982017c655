// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Messages and names` {
    @Test func `ids rise within a millisecond, keep their time, and read back`() throws {
        let clock = VirtualClock()
        let queue = QueueTest(clock: clock).queue("ids")
        let ids = (0..<20_000).map { _ in queue.newID() }
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(Set(ids).count == ids.count)
        let first = try #require(ids.first)
        #expect(first.timestamp == clock.now())
        #expect(first.description.count == 36)
        #expect(Array(first.description)[14] == "7")
        #expect("89ab".contains(Array(first.description)[19]))
        for id in ids.prefix(100) {
            #expect(MessageID(id.description) == id)
            #expect(MessageID(bytes: id.bytes) == id)
        }
    }

    @Test(arguments: [
        "", "0190", "0190a5e2-7b1c-7000-8000-00000000000", "0190a5e2_7b1c-7000-8000-000000000000",
        "0190a5e2-7b1c-7000-8000-00000000000g", "0190a5e2-7b1c-7000-8000-0000000000000",
    ])
    func `text that is no UUID is no id`(_ text: String) {
        #expect(MessageID(text) == nil)
    }

    @Test(arguments: ["a", "Mail.v2_x:1-b", String(repeating: "q", count: 128)])
    func `a queue may be called so`(_ name: String) throws {
        #expect(try QueueName(name).text == name)
    }

    @Test(arguments: [
        "", "a b", "a{b}", "a\r\nDEL x", "a*", "é", "\0", String(repeating: "q", count: 129),
    ])
    func `any other name is refused, and the error can stand in a terminal`(_ name: String) throws {
        let error = try #require(throws: InvalidName.self) { try QueueName(name) }
        #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 })
        #expect(error.description.count < 300)
    }

    @Test func `an entry and a token read back what was written`() throws {
        let entry = Entry(
            id: MessageID(high: 0x0123_4567_89ab_7def, low: 0x8000_0000_0000_0001),
            priority: 5, sizeClass: 14, hasUniqueKey: true, kindHash: 0xdead_beef, maxAttempts: 8,
            insertedAt: Timestamp(milliseconds: 1_700_000_000_000),
            readyAt: Timestamp(milliseconds: 1_700_000_000_999), attempt: 3, lost: 2,
            generation: 1, epoch: 0xab_cdef, count: 65535)
        #expect(entry.bytes.count == 42)
        #expect(entry.bytes.withUnsafeBytes { Entry(bytes: $0) } == entry)
        let token = LeaseToken(
            entry: entry, executedAt: Timestamp(milliseconds: 1_700_000_001_234),
            nonce: 0x1122_3344_5566_7788)
        #expect(token.bytes.count == 56)
        #expect(LeaseToken(bytes: token.bytes) == token)
        #expect(token.entry == entry)
        #expect(token.id == entry.id)
        #expect(token.executedAt.milliseconds == 1_700_000_001_234)
        #expect(token.nonce == 0x1122_3344_5566_7788)
        #expect(!"\(token)".contains("1122"))
        #expect(LeaseToken(bytes: Array(token.bytes.dropLast())) == nil)
    }

    @Test func `a size class holds what it says`() {
        for size in [1, 64, 65, 128, 129, 1 << 20] {
            let size = size
            let sizeClass = Entry.sizeClass(ofBody: size)
            #expect(size <= 64 << Int(sizeClass))
            #expect(sizeClass == 0 || size > 64 << Int(sizeClass - 1))
        }
        #expect(Entry.sizeClass(ofBody: 1 << 20) == 14)
    }

    @Test func `a kind's hash is the CRC-32 of zlib`() {
        #expect(Kind("123456789").hash == 0xcbf4_3926)
    }

    @Test func `an envelope keeps kind, type, headers and payload`() throws {
        for type in [ContentType.messagePack, .json, .bytes, .other("image/png")] {
            let body = Envelope.body(
                kind: "mail.welcome", contentType: type, headers: ["trace": "1", "a": "b"],
                payload: [0, 1, 255])
            let envelope = try Envelope(body)
            #expect(envelope.kind == "mail.welcome")
            #expect(envelope.contentType == type)
            #expect(envelope.headers == ["trace": "1", "a": "b"])
            #expect(envelope.payload == [0, 1, 255])
        }
        for body in [[], [0xc0], [0x94, 0xa1], [0x93, 0xa1, 0x61, 0, 0xc0]] as [[UInt8]] {
            #expect(throws: EnvelopeError.self) { try Envelope(body) }
        }
    }
}

@Suite struct `Retry policy` {
    @Test func `delays double up to the cap, and jitter stays below the bound`() {
        var random = Xoshiro(seed: 1)
        let policy = RetryPolicy(
            maxAttempts: nil, base: .seconds(1), cap: .seconds(60), hasJitter: false)
        let delays = (1...9).map { policy.delay(afterFailures: $0, using: &random) }
        #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
        let jittered = RetryPolicy.exponential(base: .seconds(1), cap: .seconds(60))
        var sum = Duration.zero
        for _ in 0..<2000 {
            let delay = jittered.delay(afterFailures: 4, using: &random)
            #expect(delay >= .zero && delay <= .seconds(8))
            sum += delay
        }
        #expect(sum / 2000 > .seconds(3) && sum / 2000 < .seconds(5))
        #expect(jittered.delay(afterFailures: .max, using: &random) <= .seconds(60))
    }

    @Test func `the smaller maximum of attempts decides, the message's or the policy's`() {
        var random = Xoshiro(seed: 1)
        let policy = RetryPolicy.constant(.seconds(5))
        #expect(
            policy.verdict(attempt: 1, maxAttempts: 3, reason: "x", using: &random)
                == .retry(after: .seconds(5), reason: "x"))
        #expect(
            policy.verdict(attempt: 2, maxAttempts: 3, reason: "x", using: &random) == .reject("x"))
        #expect(
            policy.verdict(attempt: 19, maxAttempts: 255, reason: "x", using: &random)
                == .reject("x"))
        let endless = RetryPolicy.constant(.seconds(5), maxAttempts: nil)
        #expect(
            endless.verdict(attempt: 254, maxAttempts: 255, reason: "x", using: &random)
                == .retry(after: .seconds(5), reason: "x"))
        #expect(RetryPolicy.never.storedMaxAttempts == 1)
        #expect(RetryPolicy.exponential(maxAttempts: nil).storedMaxAttempts == 255)
        #expect(RetryPolicy.exponential(maxAttempts: 1000).storedMaxAttempts == 254)
    }

    @Test func `an endless duration is never in the past`() {
        let now = Timestamp(milliseconds: 1_767_225_600_000)
        #expect(now + .milliseconds(Int64.max) == Timestamp(milliseconds: .max))
        #expect(now + .milliseconds(Int64.min) < now)
        #expect(Timestamp(milliseconds: .max) - Timestamp(milliseconds: -1) > .zero)
        #expect(now + .seconds(1) - now == .seconds(1))
    }
}
