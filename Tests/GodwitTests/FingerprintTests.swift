// SPDX-License-Identifier: Apache-2.0
import Godwit
import Testing

@Suite struct `Fingerprints` {
    private func text(_ reason: String) -> String { Fingerprint(kind: "mail", reason: reason).text }

    @Test(arguments: [
        // Reason and what its group is called.
        ("user 17 not found", "user # not found"),
        ("user 18 not found", "user # not found"),
        ("HTTP 503 after 12.5s", "HTTP # after #.#s"),
        ("can't connect to 10.1.2.3:5432", "can't connect to <address>"),
        ("connect to [fe80::1]:80 failed", "connect to [<address>]:# failed"),
        ("no route to https://api.example/v1/users/9", "no route to <address>"),
        ("mail to ann@example.org bounced", "mail to <address> bounced"),
        ("unexpected 'foo bar' in \"x y\"", "unexpected <text> in <text>"),
        ("key `a-1` is taken", "key <text> is taken"),
        ("job 0199c2d4-5b2e-7f00-8a31-6f2f4c1de0aa failed", "job <id> failed"),
        ("commit 9fceb02d0ae598e95dc970b74767f19372d61af8 is gone", "commit <id> is gone"),
        ("timed out.", "timed out."),
        ("at 2026-01-05T10:11:12Z: refused", "at <address>: refused"),
        ("value -5 is out of range 0...9", "value -# is out of range #...#"),
        ("  spaces \n\t between  ", " spaces between "),
        ("", ""), ("Grüße: 3 Äpfel", "Grüße: # Äpfel"),
        ("it's the user's 2nd try", "it's the user's #nd try"),
        ("deadbeef and facade", "deadbeef and facade"),
        ("pointer 0x7ffee4c0a1b8 is bad", "pointer <id> is bad"),
        ("don't open 'unfinished quote 12", "don't open 'unfinished quote #"),
    ])
    func `what differs from run to run is replaced`(_ reason: String, _ group: String) {
        #expect(text(reason) == group)
    }

    @Test
    func `ten thousand runs of one failure are one group, and other failures are others`() {
        var random = Xoshiro(seed: 7)
        var ids: Set<String> = []
        for number in 0..<10_000 {
            let id = MessageID(high: random.next(), low: random.next())
            let reason =
                "user \(number) of '\(random.next())' at 10.0.\(number % 256).\(number % 100):\(number) "
                + "(job \(id)) failed after \(random.next() % 1000) ms"
            ids.insert(Fingerprint(kind: "mail", reason: reason).id)
        }
        #expect(ids.count == 1)
        let reasons = ["timed out", "not found", "refused", "no memory", "bad gateway"]
        let others = reasons.flatMap { reason in
            ["mail", "audio"].map { Fingerprint(kind: $0, reason: reason).id }
        }
        #expect(Set(others).count == 10)
        // The kind can't run into the reason.
        #expect(Fingerprint(kind: "a", reason: "bc").id != Fingerprint(kind: "ab", reason: "c").id)
    }

    @Test
    func `the id has sixteen hex digits and stays as it is`() {
        let one = Fingerprint(kind: "mail", reason: "user 17 not found")
        #expect(one.id.utf8.count == 16)
        #expect(one.id.allSatisfy { $0.isHexDigit })
        #expect(one.id == "f43ca8befd6a1e81")
        for number in 0..<2000 {
            #expect(Fingerprint(kind: "k\(number)", reason: "").id.utf8.count == 16)
        }
    }

    @Test
    func `hostile reasons take time in proportion, and stay within their bytes`() {
        for piece in ["'", "\"a", "`'\"", "1.", "a@", "日", "\u{0}", "'x'", "9f", " ", "::", "👩‍🚀"] {
            for count in [1, 100, 10_000, 200_000] {
                let reason = String(repeating: piece, count: count)
                let text = text(reason)
                #expect(text.utf8.count <= 200)
                #expect(
                    !text.unicodeScalars.contains("\u{FFFD}"), "cut within a character: \(piece)")
            }
        }
        var random = Xoshiro(seed: 3)
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0..<300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let reason = String(decoding: bytes, as: UTF8.self)
            let one = Fingerprint(kind: "k", reason: reason)
            #expect(one.text.utf8.count <= 200)
            #expect(one == Fingerprint(kind: "k", reason: reason))
        }
    }
}
