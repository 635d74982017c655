// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import Godwit
import GodwitMonitor
import Mailing
import NIOCore
import NIOHTTP1
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Webhook receiver` {
    static let secret = "between us"
    static let now = Date(timeIntervalSince1970: 1_700_000_000)

    static func refusal(
        _ header: String?, body: String = "{}", at date: Date = now
    ) -> WebhookSignature.Refusal? {
        do throws(WebhookSignature.Refusal) {
            try WebhookSignature.check(
                header, body: Array(body.utf8), secrets: [WebhookSecret(secret)],
                at: Timestamp(date))
            return nil
        } catch {
            return error
        }
    }

    static func header(_ secret: String = secret, body: String = "{}", at date: Date = now)
        -> String
    {
        WebhookSignature.value(
            of: Array(body.utf8), at: Timestamp(date), secrets: [WebhookSecret(secret)]) ?? ""
    }

    @Test func `a signature is right for its body, its secret and five minutes`() {
        let good = Self.header()
        #expect(Self.refusal(good) == nil)
        #expect(Self.refusal(good, body: "{ }") == .wrong)
        #expect(Self.refusal(Self.header("another")) == .wrong)
        #expect(Self.refusal(good, at: Self.now + 299) == nil)
        #expect(Self.refusal(good, at: Self.now - 299) == nil)
        #expect(Self.refusal(good, at: Self.now + 302) == .stale)
        #expect(Self.refusal(good, at: Self.now - 302) == .stale)
    }

    @Test func `while a secret is changed one of two signatures is enough`() throws {
        let old = Self.header("old")
        let new = try #require(Self.header().split(separator: ",").last)
        #expect(Self.refusal("\(old),\(new)") == nil)
        #expect(Self.refusal(old) == .wrong)
    }

    @Test(arguments: [
        nil, "", "t=1", "v1=00", "t=,v1=", "nonsense", "t=99999999999999999999,v1=00",
        "t=1700000000,v1=zz", "t=1700000000,v1=" + String(repeating: "g", count: 64),
        "t=1700000000,v1=+" + String(repeating: "1", count: 63),
        "t=1700000000," + String(repeating: "v1=00,", count: 1000), "=,=", "t=1700000000,v0=00",
    ])
    func `what is no signature is refused`(_ header: String?) {
        #expect(Self.refusal(header) == .missing || Self.refusal(header) == .wrong)
    }

    @Test func `it answers 204 to what it believes, 401 to the rest, and keeps both`() async throws
    {
        let receiver = try await Receiver.start(secret: Self.secret)
        let url = "http://127.0.0.1:\(receiver.port)/alerts"
        func post(_ body: String, _ header: String?) async throws -> UInt {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.body = .bytes(ByteBuffer(string: body))
            if let header { request.headers.add(name: "Godwit-Signature", value: header) }
            return try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status.code
        }
        #expect(try await post("{\"a\":1}", Self.header(body: "{\"a\":1}", at: Date())) == 204)
        #expect(try await post("{\"a\":2}", Self.header(body: "{\"a\":1}", at: Date())) == 401)
        #expect(try await post("{}", nil) == 401)
        #expect(try await post(String(repeating: "x", count: 70_000), nil) == 413)
        let get = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: url), timeout: .seconds(20))
        #expect(get.status.code == 405)
        #expect(receiver.calls.map(\.refusal) == [nil, .wrong, .missing])
        #expect(
            receiver.calls.first.map { String(decoding: $0.body, as: UTF8.self) } == "{\"a\":1}")
        await receiver.stop()
    }
}
