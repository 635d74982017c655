// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
package import Godwit
import NIOCore
import NIOHTTP1
import NIOPosix

/// Posts bytes to a webhook, once, within bounds: the thin shell around ``DialGuard``.
///
/// The name is resolved once, all its addresses are checked, and the connection goes to a checked one,
/// with the name in TLS (SNI, certificate) and in `Host`. No redirect is followed, no proxy variable
/// read, nothing decompressed; at most 64 KiB of an answer are read, and all of it takes at most
/// `deadline`.
package struct Webhook: Sendable {
    /// What the other side said, or why nothing was said to it.
    package enum Outcome: Sendable, Hashable {
        /// 2xx: it has the message.
        case delivered(status: Int)
        /// 408, 425, 429, 5xx, no answer, no address now: try again, not before `after` if it said so.
        case later(String, after: Duration?)
        /// Trying again would end the same: refused address, redirect, other statuses.
        case refused(String)
    }

    package static let replyBytes = 64 << 10

    package var guardian: DialGuard
    package var resolver: any HostResolver
    package var deadline: Duration

    package init(
        _ guardian: DialGuard, resolver: any HostResolver = SystemResolver(),
        deadline: Duration = .seconds(5)
    ) {
        self.guardian = guardian
        self.resolver = resolver
        self.deadline = deadline
    }

    /// Posts `body` as JSON. `turn` chooses among several addresses: let it rise with each attempt.
    ///
    /// Crash halfway: the other side may have it; the event id in the body tells a repetition.
    package func post(
        _ body: [UInt8], to url: WebhookURL, headers: [(String, String)], turn: Int = 0
    ) async -> Outcome {
        for (name, value) in headers where !Self.isHeader(name, value) {
            return .refused(
                "the header \(name.escapedForDisplay) holds a line end or a control byte")
        }
        return await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await attempt(body, url, headers, turn) }
            group.addTask {
                try? await Task.sleep(for: deadline)
                return Task.isCancelled
                    ? nil : .later("\(url.host) did not answer within \(deadline)", after: nil)
            }
            defer { group.cancelAll() }
            while let outcome = await group.next() {
                if let outcome { return outcome }
                // Why: the sleeper ends early only when the caller was cancelled.
                if Task.isCancelled { return .later("it was cancelled", after: nil) }
            }
            return .later("it was cancelled", after: nil)
        }
    }

    private func attempt(
        _ body: [UInt8], _ url: WebhookURL, _ headers: [(String, String)], _ turn: Int
    ) async -> Outcome? {
        let target: DialGuard.Target
        do {
            try guardian.check(url)
            let addresses: [NetworkAddress]
            if let address = url.address {
                addresses = [address]
            } else {
                addresses = try await resolver.addresses(of: url.host)
            }
            target = try guardian.check(url, resolved: addresses)
        } catch let refusal as WebhookRefusal {
            return .refused(refusal.reason)
        } catch is CancellationError {
            return nil
        } catch {
            return .later("\(error)", after: nil)
        }
        let address = target.addresses[turn % target.addresses.count]
        let client = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            configuration: configuration(for: url, at: address))
        let outcome = await exchange(body, url, headers, client)
        try? await client.shutdown()
        return outcome
    }

    private func configuration(
        for url: WebhookURL, at address: NetworkAddress
    ) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: .milliseconds(deadline.milliseconds),
                read: .milliseconds(deadline.milliseconds)),
            proxy: nil, decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.networkFrameworkWaitForConnectivity = false
        configuration.connectionPool.retryConnectionEstablishment = false
        // Why: the client would resolve the name a second time, and the answer may differ by then.
        if url.address == nil { configuration.dnsOverride = [url.host: "\(address)"] }
        return configuration
    }

    private func exchange(
        _ body: [UInt8], _ url: WebhookURL, _ headers: [(String, String)], _ client: HTTPClient
    ) async -> Outcome? {
        // Why: two readers of one URL may disagree on its host; then nobody dials.
        guard let parsed = URL(string: url.text), let host = parsed.host,
            host.trimmingBrackets.lowercased() == url.host, (parsed.port ?? 443) == url.port
        else { return .refused("the URL is read differently by the HTTP client") }
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers = ["content-type": "application/json", "user-agent": "godwit"]
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.body = .bytes(body)
        do {
            let response = try await client.execute(
                request, deadline: .now() + .milliseconds(deadline.milliseconds))
            let status = Int(response.status.code)
            if (200..<300).contains(status) { return .delivered(status: status) }
            return await judge(response, status, url)
        } catch is CancellationError {
            return nil
        } catch {
            if Task.isCancelled { return nil }
            return .later(
                "\(url.host) port \(url.port) could not be spoken to: \("\(error)".cut(to: 200).escapedForDisplay)",
                after: nil)
        }
    }

    private func judge(
        _ response: HTTPClientResponse, _ status: Int, _ url: WebhookURL
    ) async -> Outcome {
        if (300..<400).contains(status) {
            return .refused(
                "\(url.host) answers \(status), a redirect: it is not followed, give the final address"
            )
        }
        let retryAfter = response.headers.first(name: "retry-after")
        var text: [UInt8] = []
        do {
            for try await part in response.body {
                text += part.readableBytesView.prefix(Self.replyBytes - text.count)
                if text.count >= Self.replyBytes { break }
            }
        } catch {
            // What came before the cut is enough for a sentence.
        }
        let said = String(decoding: text, as: UTF8.self).cut(to: 200).escapedForDisplay
        let sentence = "\(url.host) answers \(status)\(said.isEmpty ? "" : ": \(said)")"
        switch status {
        case 408, 425, 429, 500...:
            return .later(
                sentence, after: retryAfter.flatMap { Self.delay($0, at: SystemTime().now()) })
        default:
            return .refused(sentence)
        }
    }

    /// Seconds, or a date as in RFC 9110 §5.6.7; at least one second and at most an hour.
    ///
    /// Why by hand: the text is hostile, and a formatter of dates is a large thing to hand it to.
    package static func delay(_ retryAfter: String, at now: Timestamp) -> Duration? {
        let text = retryAfter.trimmingCharacters(in: .whitespaces)
        guard (1...40).contains(text.utf8.count) else { return nil }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return .seconds(max(1, min(3600, Int(text.prefix(9)) ?? 3600)))
        }
        guard let date = date(text) else { return nil }
        return .milliseconds(max(1000, min(3_600_000, (date - now).milliseconds)))
    }

    /// Reads `Thu, 01 Jan 2026 00:02:00 GMT`; nil for everything else.
    private static func date(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = number(parts[1], 1...31),
            let month = months.firstIndex(of: String(parts[2])),
            let year = number(parts[3], 1970...9999)
        else { return nil }
        let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = number(clock[0], 0...23),
            let minute = number(clock[1], 0...59), let second = number(clock[2], 0...60)
        else { return nil }
        // Days since 1970 in the Gregorian calendar, years counted from March.
        let years = month < 2 ? year - 1 : year
        let days =
            365 * years + years / 4 - years / 100 + years / 400
            + (153 * ((month + 10) % 12) + 2) / 5 + day - 719_469
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
        return Timestamp(milliseconds: Int64(seconds) * 1000)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        guard (1...4).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text)
        else { return nil }
        return range.contains(number) ? number : nil
    }

    /// Nothing that could end a line, or that is no header at all.
    private static func isHeader(_ name: String, _ value: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D
            } && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}

extension String {
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
