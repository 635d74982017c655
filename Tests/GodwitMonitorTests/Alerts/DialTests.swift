// SPDX-License-Identifier: Apache-2.0
import GodwitMonitor
import Testing

@Suite struct `Dial guard` {
    /// Hosts that a URL could name; each is refused, by its form or by the address it stands for.
    static let forms = [
        // Loopback and "this network", plain and in the spellings that resolvers accept.
        "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "127.1", "127.0.1",
        "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1",
        "0177.1", "127.0.0.01", "0", "00.0.0.0", "127.0.0.1.", "1.0x7f", "0X7F000001",
        // Private, shared, link-local, metadata.
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "192.168.255.254", "100.64.0.1", "100.127.255.255", "100.100.100.200", "169.254.169.254",
        "169.254.0.1", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "168.63.129.16",
        "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        // IPv6 of its own.
        "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]",
        "[fc00::1]", "[fd00:ec2::254]", "[fd12:3456::1]", "[ff02::1]", "[2001:db8::1]",
        "[2001::1]", "[100::1]", "[5f00::1]", "[3fff::1]", "[64:ff9b:1::a00:1]",
        // IPv4 that hides in IPv6.
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[::ffff:169.254.169.254]",
        "[0:0:0:0:0:ffff:c0a8:1]", "[::127.0.0.1]", "[::a9fe:a9fe]", "[::10.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[64:ff9b::10.1.2.3]",
        "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2002:c0a8:101::1]", "[::ffff:0:127.0.0.1]",
        "[2600::5efe:127.0.0.1]", "[::ffff:0.0.0.0]",
        // What one reader takes for another host than the next.
        "user@10.0.0.1", "hooks.example@127.0.0.1", "a:b@hooks.example",
        "hooks.example:80@10.0.0.1",
        "hooks.example#@10.0.0.1", "hooks.example\\@10.0.0.1", "10.0.0.1%00.hooks.example",
        "hooks.example\u{0}.evil", "hooks.example\r\nX: y", "hooks.example%2e", "hooks..example",
        ".hooks.example", "hooks.example.", "-hooks.example", "ⓔxample.com", "１２７.０.０.１",
        "127。0。0。1", "bücher.example", "", "[::1", "::1", "[127.0.0.1]", "hooks.example:0",
        "hooks.example:65536", "hooks.example:22", "hooks.example:443:443", "hooks.example:+443",
        "1.2.3.4.5", "1.2.3.256", "hooks.example.0x10", "*",
    ]

    /// What the resolver of the test says of every name: good, so only the form can refuse.
    private func isRefused(_ text: String, _ guardian: DialGuard = DialGuard()) -> Bool {
        do {
            let url = try WebhookURL(text)
            let good = NetworkAddress(bytes: [93, 184, 216, 34])
            _ = try guardian.check(url, resolved: [url.address ?? good].compactMap { $0 })
            return false
        } catch {
            return true
        }
    }

    @Test
    func `none of over a hundred forms of inner addresses passes`() {
        #expect(Self.forms.count >= 100)
        for form in Self.forms {
            #expect(isRefused("https://\(form)/hook"), "\(form) passed")
        }
    }

    @Test
    func `none of the addresses passes as the answer of a resolver`() throws {
        let url = try WebhookURL("https://hooks.example/x")
        let good = try #require(NetworkAddress("93.184.216.34"))
        var count = 0
        for form in Self.forms {
            let text = form.hasPrefix("[") ? String(form.dropFirst().dropLast()) : form
            guard let address = NetworkAddress(text) else { continue }
            count += 1
            #expect(throws: WebhookRefusal.self, "\(form) passed") {
                try DialGuard().check(url, resolved: [address])
            }
            // One bad address among good ones refuses them all, wherever it stands.
            #expect(throws: WebhookRefusal.self) {
                try DialGuard().check(url, resolved: [good, good, address])
            }
        }
        #expect(count >= 50)
    }

    @Test
    func `public addresses pass, also those that hide in IPv6`() throws {
        for form in [
            "93.184.216.34", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
            "[2606:4700::6810:84e5]", "[2a00:1450:4001::1]", "[64:ff9b::8.8.8.8]",
            "[::ffff:8.8.8.8]",
            "hooks.slack.com", "xn--bcher-kva.example", "HOOKS.Example", "a_b.example",
        ] {
            #expect(!isRefused("https://\(form)/x"), "\(form) was refused")
        }
        #expect(try WebhookURL("https://HOOKS.Example?x=1").target == "/?x=1")
    }

    @Test
    func `the process lists hosts by a variable, and a bad list allows nothing`() {
        #expect(DialGuard.of([:]) == DialGuard())
        #expect(
            DialGuard.of(["GODWIT_ALERT_HOSTS": "chat.local, hooks.internal:8080"]).listed
                == [.init(host: "chat.local"), .init(host: "hooks.internal", port: 8080)])
        #expect(DialGuard.of(["GODWIT_ALERT_HOSTS": "chat.local,u@x"]) == DialGuard())
    }

    @Test
    func `only https on port 443 passes unless the operator listed the host`() throws {
        #expect(isRefused("http://hooks.example/x"))
        #expect(isRefused("https://hooks.example:8443/x"))
        #expect(!isRefused("https://hooks.example:8443/x", DialGuard(ports: [443, 8443])))
        for scheme in ["ftp", "file", "unix", "http+unix", "gopher", "HTTPS+unix", "javascript"] {
            #expect(isRefused("\(scheme)://hooks.example/x"))
        }
        let guardian = try DialGuard(list: "chat.internal:8080, 10.0.0.5 [fd00::5]:443")
        #expect(!isRefused("http://chat.internal:8080/x", guardian))
        #expect(isRefused("http://chat.internal:8081/x", guardian))
        #expect(isRefused("http://chat.internal/x", guardian))
        #expect(!isRefused("http://10.0.0.5/x", guardian))
        #expect(!isRefused("https://10.0.0.5/x", guardian))
        #expect(isRefused("https://10.0.0.6/x", guardian))
        #expect(!isRefused("https://[fd00:0::5]/x", guardian))
        let url = try WebhookURL("http://chat.internal:8080/x")
        let inner = try #require(NetworkAddress("10.1.2.3"))
        #expect(try guardian.check(url, resolved: [inner]).addresses == [inner])
        // What nobody can mean stays refused.
        for never in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:0.0.0.0"]
        {
            let address = try #require(NetworkAddress(never))
            #expect(throws: WebhookRefusal.self, "\(never) passed") {
                try guardian.check(url, resolved: [address])
            }
        }
        #expect(throws: WebhookRefusal.self) { try guardian.check(url, resolved: []) }
    }

    @Test
    func `a URL shows its host and its last four characters, however it is printed`() throws {
        let url = try WebhookURL("https://hooks.slack.com/services/T0/B0/abcdefSECRETwxyz")
        var dumped = ""
        dump(url, to: &dumped)
        for shown in ["\(url)", String(reflecting: url), dumped, "\([url])"] {
            #expect(shown.contains("hooks.slack.com/…wxyz"))
            #expect(!shown.contains("SECRET"))
        }
        #expect("\(try WebhookURL("https://hooks.example/short"))" == "hooks.example/…")
        do {
            _ = try WebhookURL("https://hooks.example/SECRET token")
            Issue.record("it passed")
        } catch {
            #expect(!"\(error)".contains("SECRET"))
        }
    }
}
