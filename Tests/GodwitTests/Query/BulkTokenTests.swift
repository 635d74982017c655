// SPDX-License-Identifier: Apache-2.0
import Godwit
import Testing

/// Bulk acts do what was previewed and nothing else.
@Suite("Query: bulk token") struct BulkTokenTests {
    private static let now = QueryModel.now
    private static let id = MessageID(high: 0x0192_F000_0000_7000, low: 0x8000_0000_0000_0001)

    /// Stands for HMAC-SHA256: depends on a key and on every byte.
    private static func hash(_ key: UInt64) -> BulkToken.KeyedHash {
        { bytes in
            var state = key
            return (0..<32).map { (round: Int) -> UInt8 in
                for byte in bytes + [UInt8(round)] {
                    state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
                    state ^= state >> 29
                }
                return UInt8(truncatingIfNeeded: state >> 24)
            }
        }
    }

    private static func text(_ query: String = "state:dead kind:mail.*") throws -> String {
        try BulkToken(verb: "redrive", query: Query(query), upperID: id, now: now).text(hash(1))
    }

    @Test func `the act that was previewed gets the newest id of the preview`() throws {
        let text = try Self.text()
        #expect(
            text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte)
                    || [0x2D, 0x2E, 0x5F].contains(byte)
            })
        // The same query, written otherwise.
        let id = try BulkToken.check(
            text, verb: "redrive", query: Query("STATE:dead   name:mail.*"),
            now: Self.now + .seconds(299), Self.hash(1))
        #expect(id == Self.id)
    }

    @Test func `what does not fit is told`() throws {
        let text = try Self.text()
        func refusal(
            _ text: String, verb: String = "redrive", query: String = "state:dead kind:mail.*",
            after: Duration = .zero, key: UInt64 = 1
        ) -> BulkToken.Refusal? {
            do throws(BulkToken.Refusal) {
                guard let query = try? Query(query) else { return nil }
                _ = try BulkToken.check(
                    text, verb: verb, query: query, now: Self.now + after, Self.hash(key))
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(text) == nil)
        #expect(refusal(text, verb: "cancel") == .otherVerb(previewed: "redrive"))
        #expect(
            refusal(text, query: "state:dead") == .otherQuery(previewed: "state:dead kind:mail.*"))
        #expect(refusal(text, query: "kind:mail.* state:dead") != nil)
        #expect(refusal(text, after: .seconds(300)) == .expired(at: Self.now + .seconds(300)))
        #expect(refusal(text, key: 2) == .notOurs)
        for place in text.indices {
            var changed = text
            let other: Character = text[place] == "A" ? "B" : "A"
            changed.replaceSubrange(place...place, with: [other])
            #expect(refusal(changed) == .notOurs, "\(changed)")
            #expect(refusal(String(text[..<place])) == .notOurs)
        }
        for text in ["", ".", "..", "AQ.AQ", "AQ==", "\u{0}", text + ".", text + "A"] {
            #expect(refusal(text) == .notOurs)
        }
    }

    @Test func `a refusal shows no control characters`() throws {
        let text = try Self.text(#"key:"\#u{1B}[2J""#)
        let error = #expect(throws: BulkToken.Refusal.self) {
            try BulkToken.check(
                text, verb: "redrive", query: Query("key:x"), now: Self.now, Self.hash(1))
        }
        #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
    }
}
