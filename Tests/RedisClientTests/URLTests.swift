// SPDX-License-Identifier: Apache-2.0
import Foundation
import RedisClient
import Testing

@Suite struct `Redis URL` {
    @Test func `reads host, port, database, credentials and unknown items`() throws {
        let url = try RedisURL("redis://me:s%40cret%3A@10.0.0.1:7000/3?ns=jobs&x=%26y")
        #expect(url.address == .tcp(host: "10.0.0.1", port: 7000))
        #expect(url.user == "me" && url.password == Secret("s@cret:"))
        #expect(url.database == 3 && url.options == ["ns": "jobs", "x": "&y"])
        #expect(try RedisURL("redis://h").address == .tcp(host: "h", port: 6379))
        #expect(try RedisURL("redis://h/").database == 0)
        #expect(try RedisURL("redis://:p@h").user == nil)
        #expect(try RedisURL("redis://[::1]:1").address == .tcp(host: "::1", port: 1))
        #expect(try RedisURL("REDISS://h").address == .tls(host: "h", port: 6379))
    }

    @Test func `reads Unix sockets`() throws {
        let url = try RedisURL("redis+unix://u:p@/run/a%20b.sock?db=2&ns=x")
        #expect(url.address == .unix(path: "/run/a b.sock"))
        #expect(url.database == 2 && url.user == "u" && url.password == Secret("p"))
        #expect(url.options == ["ns": "x"])
    }

    @Test(arguments: [
        "", "localhost", "http://h", "redis://", "redis:///1", "redis://h:0", "redis://h:65536",
        "redis://h:x", "redis://h/x", "redis://h/-1", "redis://::1", "redis://[::1",
        "redis://[::1]x",
        "redis://h/%zz", "redis://h?a=%2", "redis+unix://h/x", "redis+unix:///", "redis+unix://x",
        "redis://h#f", "redis://h?password=x", "redis://a b", "redis://h?db=x", "redis://%00",
    ])
    func `refuses what is no URL of a server`(_ text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.kind == .invalid)
    }

    @Test func `no text ever shows the password`() throws {
        let url = try RedisURL("redis://me:hunter2@h:1/0?ns=a")
        var dumped = ""
        dump(url, to: &dumped)
        for text in [
            "\(url)", url.debugDescription, "\(String(describing: url.password))", dumped,
            "\(Secret("hunter2"))",
        ] {
            #expect(!text.contains("hunter2"))
        }
        let broken = #expect(throws: RedisError.self) { try RedisURL("redis://me:hunter2@h:x") }
        #expect(broken.map { "\($0)".contains("hunter2") } == false)
    }

    @Test func `a password comes from URL, file or environment, in this order`() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data("from file\nsecond line\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let environment = { (name: String) -> String? in
            ["GODWIT_REDIS_PASSWORD": "from environment", "GODWIT_REDIS_USER": "worker"][name]
        }
        let query = "?password-file=\(file.path)"
        let first = try RedisURL("redis://:inline@localhost/\(query)").resolved(
            environment: environment)
        #expect(first.password == Secret("inline") && first.user == nil)
        let second = try RedisURL("redis://localhost/\(query)").resolved(environment: environment)
        #expect(second.password == Secret("from file") && second.user == nil)
        let third = try RedisURL("redis://localhost").resolved(environment: environment)
        #expect(third.password == Secret("from environment") && third.user == "worker")
        let none = try RedisURL("redis://localhost").resolved { _ in nil }
        #expect(none.password == nil)
        let missing = #expect(throws: RedisError.self) {
            try RedisURL("redis://localhost?password-file=/nowhere/at/all").resolved { _ in nil }
        }
        #expect(missing?.kind == .invalid && missing?.text.contains("/nowhere/at/all") == true)
        #expect(throws: RedisError.self) {
            try RedisURL("redis://u@localhost").resolved { _ in nil }
        }
    }

    @Test func `a password never leaves the machine in plain text`() throws {
        for host in [
            "example.com", "10.0.0.1", "127.0.0.1.example.com", "127.0.0", "localhost.example.com",
            "[fe80::1]",
        ] {
            let error = #expect(throws: RedisError.self, "\(host)") {
                try RedisURL("redis://:p@\(host)").resolved { _ in nil }
            }
            #expect(error?.kind == .invalid && error?.text.contains("rediss://") == true)
            #expect(throws: RedisError.self) {
                try RedisURL("redis://\(host)").resolved {
                    $0 == "GODWIT_REDIS_PASSWORD" ? "p" : nil
                }
            }
            #expect(try RedisURL("rediss://:p@\(host)").resolved { _ in nil }.password != nil)
        }
        for host in ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "LOCALHOST"] {
            #expect(try RedisURL("redis://:p@\(host)").resolved { _ in nil }.password != nil)
        }
        #expect(try RedisURL("redis+unix://:p@/s").resolved { _ in nil }.password != nil)
    }
}
