// SPDX-License-Identifier: Apache-2.0

/// What a worker can run: one handler per kind. A worker takes only these kinds (I11).
public struct Handlers: Sendable {
    typealias Run = @Sendable (LeasedMessage, JobContext) async throws -> Void

    struct Handler: Sendable {
        var kind: Kind?
        var retry: RetryPolicy
        var timeout: Duration?
        var run: Run
    }

    private(set) var byHash: [UInt32: Handler] = [:]
    /// Takes what no other handler takes.
    private(set) var fallback: Handler?
    package private(set) var problems: [String] = []

    package init() {}

    /// Runs `body` for each message of the job's kind.
    ///
    /// Returning settles as ack, throwing as retry by policy or, when it throws a ``Verdict``, as
    /// that says. A payload that does not decode goes to the dead letters with its bytes. The same
    /// message may run more than once (I5): let the second run find what the first did.
    ///
    /// A message has its maximum of attempts from its producer. A `retry` given here has one too, and
    /// the smaller counts; without it the job's own delays hold.
    public mutating func handle<J: Job>(
        _ type: J.Type, retry: RetryPolicy? = nil, timeout: Duration? = nil,
        _ body: @escaping @Sendable (J, JobContext) async throws -> Void
    ) {
        let kind: Kind
        do { kind = try J.kind() } catch { return problems.append("\(error)") }
        add(
            kind, retry ?? J.defaults.retry.unbounded, timeout ?? J.defaults.timeout
        ) { leased, context in
            try await body(
                try Payload.decode(J.self, from: leased.body, of: kind, by: context.queue.codec),
                context)
        }
    }

    /// Runs `body` for each message of a kind, with its payload as bytes.
    public mutating func handle(
        kind: Kind, retry: RetryPolicy = .exponential(maxAttempts: nil), timeout: Duration? = nil,
        _ body: @escaping @Sendable (Message, JobContext) async throws -> Void
    ) {
        add(kind, retry, timeout) { leased, context in
            try await body(try Payload.message(leased), context)
        }
    }

    /// Runs `body` for every kind that has no handler of its own: this worker then takes all kinds.
    public mutating func handleAll(
        retry: RetryPolicy = .exponential(maxAttempts: nil), timeout: Duration? = nil,
        _ body: @escaping @Sendable (Message, JobContext) async throws -> Void
    ) {
        fallback = Handler(kind: nil, retry: retry, timeout: timeout) { leased, context in
            try await body(try Payload.message(leased), context)
        }
    }

    /// The kinds to reserve; nil for all.
    package var kinds: [Kind]? {
        fallback == nil ? byHash.values.compactMap(\.kind).sorted { $0.name < $1.name } : nil
    }

    func handler(of hash: UInt32) -> Handler? { byHash[hash] ?? fallback }

    private mutating func add(
        _ kind: Kind, _ retry: RetryPolicy, _ timeout: Duration?, _ run: @escaping Run
    ) {
        if let other = byHash[kind.hash]?.kind {
            problems.append(
                other == kind
                    ? "two handlers for kind '\(kind)': remove one"
                    : "kinds '\(kind)' and '\(other)' have the same hash: rename one")
            return
        }
        byHash[kind.hash] = Handler(kind: kind, retry: retry, timeout: timeout, run: run)
    }
}

/// Reads what a producer wrote.
enum Payload {
    static func message(_ leased: LeasedMessage) throws -> Message {
        do {
            return try Message(leased)
        } catch {
            throw Verdict.reject("undecodable: \(error)")
        }
    }

    static func decode<J: Job>(
        _ type: J.Type, from body: [UInt8], of kind: Kind, by codec: any Codec
    ) throws -> J {
        do {
            return try Envelope.reading(body) { view throws(EnvelopeError) in
                guard isEqual(view.kind, kind.name) else {
                    throw EnvelopeError(
                        reason: "its kind is not '\(kind)', though their hashes are equal")
                }
                do {
                    switch view.contentType {
                    case codec.contentType: return try codec.decode(J.self, from: view.payload)
                    case .json: return try JSONCodec().decode(J.self, from: view.payload)
                    case .messagePack:
                        return try MessagePackCodec().decode(J.self, from: view.payload)
                    case .bytes: throw EnvelopeError(reason: "its payload is plain bytes")
                    case .other(let text): throw EnvelopeError(reason: "no codec for '\(text)'")
                    }
                } catch let error as EnvelopeError {
                    throw error
                } catch {
                    throw EnvelopeError(
                        reason: "its \(view.contentType.text) payload is not a \(kind): \(error)")
                }
            }
        } catch {
            throw Verdict.reject("undecodable: \(error.reason)")
        }
    }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer, _ name: String) -> Bool {
        var name = name
        return name.withUTF8 { $0.count == bytes.count && $0.elementsEqual(bytes) }
    }
}
