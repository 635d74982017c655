// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
public import SigV4
import Synchronization

/// Signs and sends requests to one service, and sends them again where that may help.
///
/// What a client of a service needs, SQS for one:
///
///     let provider = CredentialProvider.chain(options, pool)          // shared by all services
///     let polls = try ServiceClient("sqs", options, provider, pool, signing: .standard)
///     let deletes = polls.on(otherPool)                                // same clock and endpoint
///     let answer = try await polls.send(
///         ServiceRequest("ReceiveMessage", method: "POST",
///             headers: [Field("content-type", "application/x-amz-json-1.0"), …], body: .bytes(json)),
///         timeout: .seconds(30), limit: 4 << 20)                       // status, headers, body
///
/// `send` answers with a 2xx or throws ``AWSError``: `code` holds the service's word, from the header
/// `x-amzn-query-error`, `__type` or XML. Each attempt has `timeout` from its start to the last byte of
/// its answer; `retry: RetryPolicy(attempts: 1)` sends once. A request may have been done although it
/// failed, and more than once: only what may be repeated goes through here.
public struct ServiceClient: Sendable {
    /// Learned from answers, shared by copies: how far the clock is off, where a bucket lies.
    private final class Learned: Sendable {
        let skew = Mutex(TimeInterval(0))
        let regions = Mutex([String: String]())
    }

    public let service: String
    public let region: String
    public let endpoint: Endpoint
    let credentials: CredentialProvider
    private var pool: HTTPPool
    private let signing: SigningOptions
    private let retry: RetryPolicy
    private let surroundings: Surroundings
    private let learned = Learned()

    /// Throws ``AWSError/Kind/denied`` when region or endpoint are not set or can't be read.
    public init(
        _ service: String, _ options: AWSOptions, _ credentials: CredentialProvider,
        _ pool: HTTPPool, signing: SigningOptions
    ) throws(AWSError) {
        self.service = service
        region = try options.region(for: service)
        endpoint = try options.endpoint(for: service, region: region)
        self.credentials = credentials
        self.pool = pool
        self.signing = signing
        retry = options.retry
        surroundings = options.surroundings
    }

    /// The same client over other connections.
    public func on(_ pool: HTTPPool) -> ServiceClient {
        var copy = self
        copy.pool = pool
        return copy
    }

    /// Sends, and reads the answer whole; more than `limit` bytes are ``AWSError/Kind/badAnswer``.
    public func send(
        _ request: ServiceRequest, timeout: Duration = .seconds(30), limit: Int = 1 << 20,
        retry: RetryPolicy? = nil
    ) async throws(AWSError) -> ServiceAnswer {
        try await perform(request, timeout, limit, retry ?? self.retry) { response, head in
            var answer = head
            answer.body = try await Self.body(of: response, limit)
            return answer
        }
    }

    /// Sends, and returns at the head of a 2xx: the body is the caller's to read, without a deadline
    /// but the pool's `quiet`.
    func open(
        _ request: ServiceRequest, timeout: Duration, retry: RetryPolicy? = nil
    ) async throws(AWSError) -> (head: ServiceAnswer, body: HTTPClientResponse.Body) {
        try await perform(request, timeout, 0, retry ?? self.retry) { ($1, $0.body) }
    }

    /// A URL that carries its own signature, for whoever has it, for `seconds` (1 to 604,800).
    func presign(
        _ request: ServiceRequest, seconds: Int
    ) async throws(AWSError) -> String {
        let keys = try await credentials.get().keys
        let region = learned.regions.withLock { $0[request.place] } ?? region
        let authority = authority(of: request, region)
        let signed = Signer(keys, region: region, service: service, options: signing).presign(
            SigningRequest(
                method: request.method, path: request.path, query: request.query,
                headers: [Field("host", authority)] + request.headers),
            seconds: max(1, min(seconds, 604_800)), at: signingTime())
        return (endpoint.isSecure ? "https://" : "http://") + authority + request.path + "?"
            + signed.query
    }

    // MARK: One request, as often as it takes

    private func perform<Result: Sendable>(
        _ request: ServiceRequest, _ timeout: Duration, _ limit: Int, _ policy: RetryPolicy,
        _ read: @escaping @Sendable (HTTPClientResponse, ServiceAnswer) async throws -> Result
    ) async throws(AWSError) -> Result {
        var tries = RetryDecision.Tries()
        var refused: Credentials?
        let payload: Payload =
            switch request.body {
            case .bytes(let bytes): .bytes(bytes)
            case .file(let slice): .hash(try await slice.hash())
            }
        while true {
            let region = learned.regions.withLock { $0[request.place] } ?? region
            let used = request.isSigned ? try await credentials.get(notThese: refused) : nil
            let prepared = prepare(request, payload, used, region)
            let attempt = await attempt(prepared, request, timeout, limit, read)
            let fault: Fault
            let answer: ServiceAnswer
            switch attempt {
            case .done(let result): return result
            case .cancelled: throw AWSError(.cancelled, "\(request.name) was cancelled")
            case .wrong(let error): throw error
            case .answered(let got):
                answer = got
                fault = Fault(got)
            case .broken(let reason):
                answer = ServiceAnswer(status: 0, headers: [], body: [])
                fault = Fault(reason: reason)
            }
            tries.failures += 1
            let outcome: Outcome =
                answer.status == 0
                ? .broken
                : .answered(
                    status: answer.status, code: fault.code,
                    region: fault.region == region ? nil : fault.region)
            let decision = RetryDecision.decide(
                outcome, tries, policy, random: surroundings.random())
            switch decision {
            case .again(let wait):
                try await pause(wait, request.name)
            case .refresh:
                tries.hasRefreshed = true
                refused = used
            case .setClock:
                tries.hasSetClock = true
                setClock(by: answer)
            case .redirect(let other):
                tries.hasRedirected = true
                learned.regions.withLock {
                    if $0.count >= 1_000 { $0 = [:] }
                    $0[request.place] = other
                }
            case .accept, .refuse:
                var kind = AWSError.Kind.badAnswer
                if case .refuse(let named) = decision { kind = named }
                throw error(kind, request, answer, fault, tries)
            }
        }
    }

    private enum Attempt<Result: Sendable>: Sendable {
        case done(Result)
        case answered(ServiceAnswer)
        case broken(String)
        case wrong(AWSError)
        case cancelled
    }

    private struct Late: Error {}

    private func attempt<Result: Sendable>(
        _ prepared: HTTPClientRequest, _ request: ServiceRequest, _ timeout: Duration,
        _ limit: Int,
        _ read: @escaping @Sendable (HTTPClientResponse, ServiceAnswer) async throws -> Result
    ) async -> Attempt<Result> {
        let end = ContinuousClock.now + timeout
        do {
            let response = try await pool.client.execute(
                prepared, deadline: .now() + TimeAmount(timeout))
            let head = ServiceAnswer(
                status: Int(response.status.code),
                headers: response.headers.map { Field($0.name, $0.value) }, body: [])
            let isGood = (200..<300).contains(head.status)
            if isGood, limit == 0 { return .done(try await read(response, head)) }
            return try await withThrowingTaskGroup(of: Attempt<Result>.self) { group in
                group.addTask {
                    guard isGood, !request.mayFailInside else {
                        var answer = head
                        answer.body = try await Self.body(
                            of: response, isGood ? limit : 64 << 10, cut: !isGood)
                        if isGood, Fault(answer).code.isEmpty {
                            return .done(try await read(Self.replay(response, answer), head))
                        }
                        return .answered(answer)
                    }
                    return .done(try await read(response, head))
                }
                group.addTask {
                    try await Task.sleep(until: end, clock: .continuous)
                    throw Late()
                }
                defer { group.cancelAll() }
                return try await group.next() ?? .broken("no answer")
            }
        } catch let error as AWSError {
            return .wrong(error)
        } catch is Late {
            return .broken("no whole answer within \(timeout)")
        } catch {
            return Task.isCancelled ? .cancelled : .broken(shown("\(error)"))
        }
    }

    /// A body that was looked at, to be read once more.
    private static func replay(
        _ response: HTTPClientResponse, _ answer: ServiceAnswer
    ) -> HTTPClientResponse {
        HTTPClientResponse(
            version: response.version, status: response.status, headers: response.headers,
            body: .bytes(ByteBuffer(bytes: answer.body)))
    }

    private static func body(
        of response: HTTPClientResponse, _ limit: Int, cut: Bool = false
    ) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await part in response.body {
            guard bytes.count + part.readableBytes <= limit else {
                if cut { return bytes }
                throw AWSError(.badAnswer, "an answer is longer than \(limit) bytes")
            }
            bytes += part.readableBytesView
        }
        return bytes
    }

    // MARK: Signing

    private func authority(of request: ServiceRequest, _ region: String) -> String {
        let there =
            endpoint.isCustom || region == self.region
            ? endpoint : Endpoint(service: service, region: region)
        return (request.hostPrefix.map { $0 + "." } ?? "") + there.authority
    }

    private func prepare(
        _ request: ServiceRequest, _ payload: Payload, _ credentials: Credentials?,
        _ region: String
    ) -> HTTPClientRequest {
        let authority = authority(of: request, region)
        var headers = [Field("host", authority)] + request.headers
        var query = PercentEncoding.query(request.query)
        if let credentials {
            let signed = Signer(
                credentials.keys, region: region, service: service, options: signing
            ).sign(
                SigningRequest(
                    method: request.method, path: request.path, query: request.query,
                    headers: headers), payload: payload, at: signingTime())
            (headers, query) = (signed.headers, signed.query)
        }
        var prepared = HTTPClientRequest(
            url: (endpoint.isSecure ? "https://" : "http://") + authority + request.path
                + (query.isEmpty ? "" : "?" + query))
        prepared.method = HTTPMethod(rawValue: request.method)
        for field in headers { prepared.headers.add(name: field.name, value: field.value) }
        switch request.body {
        case .bytes(let bytes):
            if !bytes.isEmpty || request.method == "PUT" || request.method == "POST" {
                prepared.body = .bytes(ByteBuffer(bytes: bytes))
            }
        case .file(let slice):
            prepared.body = .stream(slice.pieces, length: .known(Int64(slice.count)))
        }
        return prepared
    }

    private func signingTime() -> SigningTime {
        let now = surroundings.now().timeIntervalSince1970 + learned.skew.withLock { $0 }
        return SigningTime(seconds: Int64(now.rounded(.down)))
    }

    private func setClock(by answer: ServiceAnswer) {
        guard let date = answer.header("date").flatMap(HTTPDate.parse) else { return }
        let skew = TimeInterval(date.seconds) - surroundings.now().timeIntervalSince1970
        learned.skew.withLock { $0 = skew }
    }

    private func error(
        _ kind: AWSError.Kind, _ request: ServiceRequest, _ answer: ServiceAnswer, _ fault: Fault,
        _ tries: RetryDecision.Tries
    ) -> AWSError {
        var text = "\(request.name) at \(authority(of: request, region)): "
        if answer.status == 0 {
            text += "no answer (\(fault.message))"
        } else {
            text += "\(answer.status)"
            if !fault.code.isEmpty { text += " \(fault.code)" }
            if !fault.message.isEmpty { text += ", \"\(fault.message)\"" }
            if (300..<400).contains(answer.status), answer.status != 304 {
                text +=
                    ". It is a redirect that is not followed, so that nothing signed goes to "
                    + "another host: check region and endpoint"
            }
        }
        if tries.failures > 1 { text += ", after \(tries.failures) attempts" }
        if kind == .denied { text += ". Check the credentials, what they allow, and the clock" }
        let id = answer.header("x-amz-request-id") ?? answer.header("x-amzn-requestid")
        if let id { text += " (request \(shown(id, 80)))" }
        return AWSError(kind, code: fault.code, status: answer.status, text)
    }
}

extension Fault {
    /// Of a request without an answer.
    init(reason: String) { message = reason }
}

extension ServiceClient {
    /// What to do after a body broke off for the `failures`th time in a row.
    func decide(broken failures: Int) -> RetryDecision {
        var tries = RetryDecision.Tries()
        tries.failures = failures
        return RetryDecision.decide(.broken, tries, retry, random: surroundings.random())
    }

    func pause(_ wait: Duration, _ name: String) async throws(AWSError) {
        do {
            try await surroundings.sleep(wait)
        } catch {
            throw AWSError(.cancelled, "\(name) was cancelled")
        }
    }

    /// Sends what clears up, whether this task is cancelled or not; what becomes of it is not told.
    func sendShielded(_ request: ServiceRequest) async {
        // Why a task of its own: it is waited for here, and cancelling does not reach it.
        await Task { _ = try? await send(request, timeout: .seconds(10)) }.value
    }
}
