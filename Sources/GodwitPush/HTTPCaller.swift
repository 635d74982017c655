// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import Godwit
import GodwitMonitor
import NIOCore
import NIOHTTP1
import Synchronization

/// Posts messages to one URL over kept connections.
///
/// No redirect is followed, no proxy variable read, nothing decompressed. Of an answer at most 64 KiB
/// are read and 512 bytes kept. An answer counts once it is complete: a 2xx that breaks off is a retry.
struct HTTPCaller: Caller {
    /// A longer answer is not read to its end; its status counts, and its connection is closed.
    static let replyBytes = 64 << 10

    private enum Life {
        case unused
        case inUse(HTTPClient)
        case ended
    }

    /// What a copy of this value shares.
    private final class Shared: Sendable {
        let life = Mutex(Life.unused)
        let end = Signal()
    }

    private let url: WebhookURL
    private let secrets: [WebhookSecret]
    private let options: PushOptions
    private let shared = Shared()

    init(_ url: WebhookURL, _ secrets: [WebhookSecret], _ options: PushOptions) {
        self.url = url
        self.secrets = secrets
        self.options = options
    }

    func run() async throws {
        await shared.end.waitUntilFired()
        let client = shared.life.withLock { life -> HTTPClient? in
            defer { life = .ended }
            if case .inUse(let client) = life { return client }
            return nil
        }
        try? await client?.shutdown()
    }

    func stop() { shared.end.fire() }

    func send(_ call: PushCall) async -> PushVerdict? {
        let headers: [(String, String)]
        do throws(Unsendable) {
            headers = try PushHeaders.of(call)
        } catch {
            return PushVerdict(.reject(error.reason))
        }
        guard let client = client() else { return PushVerdict(.hold("this worker ends"), .failing) }
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        // Why the machine's clock: the service compares it with its own, not with the store's.
        let signature = WebhookSignature.value(
            of: call.message.payload, at: SystemTime().now(), secrets: secrets)
        if let signature { request.headers.add(name: WebhookSignature.header, value: signature) }
        let payload = WatchedPayload(call.message.payload)
        request.body = .bytes(payload, length: .known(Int64(payload.count)))

        let deadline = ContinuousClock.now + call.time
        let response: HTTPClientResponse
        do {
            response = try await client.execute(
                request, deadline: .now() + .milliseconds(call.time.milliseconds))
        } catch {
            if Task.isCancelled { return nil }
            // Why by the error: the client never asks for a payload that is empty.
            let wasSent = payload.isEmpty ? Self.mayHaveBeenSent(error) : payload.wasTaken
            return judge(error, call, wasSent: wasSent)
        }
        let words: [UInt8]
        do {
            words = try await Self.read(response, until: deadline)
        } catch {
            return Task.isCancelled ? nil : judge(error, call, wasSent: true)
        }
        return PushVerdict(
            status: Int(response.status.code),
            retryAfter: response.headers.first(name: "retry-after"), body: words,
            at: SystemTime().now())
    }

    /// Made with the first message; nil once this has ended.
    private func client() -> HTTPClient? {
        shared.life.withLock { life in
            switch life {
            case .inUse(let client): return client
            case .ended: return nil
            case .unused:
                let client = HTTPClient(configuration: configuration)
                life = .inUse(client)
                return client
            }
        }
    }

    private var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .milliseconds(min(10_000, options.callTime.milliseconds))),
            proxy: nil, decompression: .disabled)
        configuration.connectionPool.idleTimeout = .seconds(30)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(
            1, options.connections)
        // Why: when to try again is the breaker's to say.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.networkFrameworkWaitForConnectivity = false
        return configuration
    }

    private func judge(_ error: any Error, _ call: PushCall, wasSent: Bool) -> PushVerdict {
        let isLate = error is Late || (error as? HTTPClientError) == .deadlineExceeded
        if wasSent {
            return PushVerdict(
                .retry(
                    after: nil,
                    reason: isLate
                        ? "the service did not answer within \(call.time)"
                        : "the service broke off before its answer was complete: \(PushVerdict.shown("\(error)"))"
                ), .failing)
        }
        if let error = error as? HTTPClientError, !isLate, !Self.isUnreached(error) {
            return PushVerdict(
                .retry(after: nil, reason: "the request could not be made: \(error)"))
        }
        return PushVerdict(
            .hold("it can't be reached: \(PushVerdict.shown("\(error)"))"), .failing)
    }

    /// Of the client's own errors, those that say that there was no connection to send on.
    private static func isUnreached(_ error: HTTPClientError) -> Bool {
        [
            .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout,
            .remoteConnectionClosed,
        ]
        .contains(error)
    }

    /// Whether a request without a payload may be with the service; yes where the error does not tell.
    private static func mayHaveBeenSent(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError {
            return ![.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout]
                .contains(error)
        }
        // Other errors of a socket, and those of TLS, come while it connects.
        return [ECONNRESET, EPIPE].contains((error as? IOError)?.errnoCode)
    }

    private struct Late: Error {}

    /// The beginning of a body, read to its end within both bounds.
    private static func read(
        _ response: HTTPClientResponse, until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        // Why apart: most answers are empty, and need no timer.
        if response.headers.first(name: "content-length") == "0" { return try await take(response) }
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { try await take(response) }
            group.addTask {
                try await Task.sleep(until: deadline)
                throw Late()
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private static func take(_ response: HTTPClientResponse) async throws -> [UInt8] {
        var words: [UInt8] = []
        var count = 0
        for try await part in response.body {
            words += part.readableBytesView.prefix(PushVerdict.wordBytes - words.count)
            count += part.readableBytes
            if count > replyBytes { break }
        }
        return words
    }
}

/// A payload that tells whether anybody has begun to send it.
///
/// The client reads it only when it has a connection, so what was not taken did not leave. Why no
/// stream: its end would go out later than its bytes, and the client closes a connection on which an
/// answer of 300 or more comes before that end.
private struct WatchedPayload: Collection, Sendable {
    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    private let bytes: [UInt8]
    private let flag = Flag()

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var wasTaken: Bool { flag.value.load(ordering: .acquiring) }

    var startIndex: Int { 0 }
    var endIndex: Int { bytes.count }
    func index(after index: Int) -> Int { index + 1 }

    subscript(index: Int) -> UInt8 {
        take()
        return bytes[index]
    }

    func makeIterator() -> [UInt8].Iterator {
        take()
        return bytes.makeIterator()
    }

    func withContiguousStorageIfAvailable<R>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> R
    ) rethrows -> R? {
        take()
        return try bytes.withContiguousStorageIfAvailable(body)
    }

    private func take() { flag.value.store(true, ordering: .releasing) }
}
