// SPDX-License-Identifier: Apache-2.0
import RedisClient
import Testing

@Suite struct `Script names` {
    /// The vectors of RFC 3174.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
    ])
    func `are SHA-1`(_ source: String, _ digest: String) {
        #expect(RedisScript(name: "x", source: source).sha == digest)
    }

    @Test func `are SHA-1 of long sources, too`() {
        let million = RedisScript(name: "x", source: String(repeating: "a", count: 1_000_000))
        #expect(million.sha == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
        let digits = RedisScript(name: "x", source: String(repeating: "01234567", count: 80))
        #expect(digits.sha == "dea356a2cddd90c7a7ecedc5ebb563934f460452")
    }
}

@Suite struct `Errors` {
    @Test(arguments: [
        ("LOADING Redis is loading", RedisError.Kind.loading),
        ("READONLY You can't write", .readOnly),
        ("MISCONF Redis is configured", .misconfigured), ("OOM command not allowed", .outOfMemory),
        ("NOREPLICAS Not enough", .noReplicas), ("BUSY Redis is busy", .busy),
        ("TRYAGAIN Multiple keys", .tryAgain), ("NOAUTH Authentication", .noAuth),
        ("WRONGPASS invalid", .wrongPassword), ("NOPERM this user", .noPermission),
        ("MOVED 1 h:1", .moved), ("UNBLOCKED client", .unblocked), ("NOSCRIPT No", .noScript),
        ("ERR unknown", .server), ("WRONGTYPE x", .server), ("", .server), ("BUSYGROUP x", .server),
    ])
    func `are sorted by their first word and keep the server's text`(
        _ text: String, _ kind: RedisError.Kind
    ) {
        let error = RedisError(reply: bytes(text), server: "here:1")
        #expect(error.kind == kind)
        #expect(error.text == text)
        #expect(error.description.contains(text) && error.description.contains("here:1"))
    }
}

@Suite struct `Back-off` {
    @Test func `waits at random below a bound that doubles up to the cap`() {
        let backoff = Backoff(base: .milliseconds(50), cap: .seconds(1))
        var random = SystemRandomNumberGenerator()
        #expect(backoff.delay(failures: 0, using: &random) == .zero)
        for (failures, bound) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1000), (900, 1000)] {
            let delays = (0..<200).map { _ in backoff.delay(failures: failures, using: &random) }
            #expect(delays.allSatisfy { $0 >= .zero && $0 < .milliseconds(bound) })
            // Full jitter: the lower half is as likely as the upper; 200 on one side are not.
            #expect(delays.contains { $0 < .milliseconds(bound) / 2 })
            #expect(delays.contains { $0 > .milliseconds(bound) / 2 })
        }
    }
}
