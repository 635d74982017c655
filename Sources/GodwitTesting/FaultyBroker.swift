// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Synchronization

/// A broker that does what it is told, until it is told to fail, to be slow or to lose a reply.
///
/// Wraps any other broker and counts the calls. Faults wait in line per word and are used up one
/// by one; a word without a fault in line goes through.
public final class FaultyBroker: Broker {
    /// The words that can be made to fail, and that are counted.
    public enum Word: String, Sendable, Hashable, CaseIterable {
        case enqueue, reserve, settle, renew, checkpoint, promote, reclaim, prune, wait
        /// Any call of the operator, the inspector, the event log or the board.
        case operate, inspect, events, board
    }

    public enum Fault: Sendable {
        /// Nothing happens; the call throws this. A wait, which can't throw, returns at once.
        case fail(BrokerError)
        /// It happens; the call throws ``BrokerError/unknown(_:)``, as if its reply were lost (I12).
        case loseReply
        /// It happens this much later, by the broker's clock.
        case delay(Duration)
        /// It happens once the gate is opened.
        case hold(Gate)
        /// The same, though the caller's task be cancelled: as a store does that hangs.
        case hang(Gate)
    }

    private struct State {
        var faults: [Word: [Fault]] = [:]
        var calls: [Word: Int] = [:]
    }

    private let inner: any Broker
    private let state = Mutex(State())

    public init(_ inner: any Broker) {
        self.inner = inner
    }

    /// Puts a fault in line, `times` times.
    public func inject(_ fault: Fault, into word: Word, times: Int = 1) {
        state.withLock {
            $0.faults[word, default: []].append(contentsOf: repeatElement(fault, count: times))
        }
    }

    /// Takes all faults back.
    public func heal() { state.withLock { $0.faults = [:] } }

    /// How often a word was called; a settle that also reserves counts for both.
    public func calls(of word: Word) -> Int { state.withLock { $0.calls[word] ?? 0 } }

    /// How often any word of a message's life was called: what operates and looks does not count.
    public var calls: Int {
        let apart: Set<Word> = [.operate, .inspect, .events, .board]
        return state.withLock {
            $0.calls.reduce(0) { apart.contains($1.key) ? $0 : $0 + $1.value }
        }
    }

    /// An error to inject, with a text that says where it comes from.
    public static func unavailable(_ what: String = "injected") -> BrokerError {
        .unavailable(problem(what))
    }

    private static func problem(_ what: String) -> BrokerError.Problem {
        BrokerError.Problem(
            what: what, location: "the test's broker", cause: "a fault was injected",
            advice: "This is a test.")
    }

    private func next(_ word: Word) -> Fault? {
        state.withLock { state in
            state.calls[word, default: 0] += 1
            guard state.faults[word]?.isEmpty == false else { return nil }
            return state.faults[word]?.removeFirst()
        }
    }

    func perform<R>(
        _ word: Word, _ body: () async throws(BrokerError) -> R
    ) async throws(BrokerError) -> R {
        try await perform(word, next(word), body)
    }

    private func perform<R>(
        _ word: Word, _ fault: Fault?, _ body: () async throws(BrokerError) -> R
    ) async throws(BrokerError) -> R {
        switch fault {
        case .none: return try await body()
        case .fail(let error): throw error
        case .loseReply:
            _ = try await body()
            throw .unknown(Self.problem(word.rawValue))
        case .delay(let delay):
            await inner.time.sleep(for: delay)
            return try await body()
        case .hold(let gate):
            await gate.wait()
            return try await body()
        case .hang(let gate):
            await withCheckedContinuation { continuation in
                gate.whenOpen { continuation.resume() }
            }
            return try await body()
        }
    }

    /// The same for words that don't suspend; `fail` hears of what fails.
    private func perform(
        _ fault: Fault?, _ body: @escaping @Sendable (_ losesReply: Bool) -> Void,
        fail: (BrokerError) -> Void
    ) {
        switch fault {
        case .none: body(false)
        case .fail(let error): fail(error)
        case .loseReply: body(true)
        case .delay(let delay): _ = inner.time.schedule(after: delay) { body(false) }
        case .hold(let gate), .hang(let gate): gate.whenOpen { body(false) }
        }
    }

    // MARK: Broker

    public var limits: BrokerLimits { inner.limits }
    public var time: any TimeSource { inner.time }
    public var clockOffset: Duration { inner.clockOffset }
    public var isShutDown: Bool { inner.isShutDown }
    public var `operator`: any Operator { FaultyView(broker: self, inner: inner) }
    public var inspector: any Inspector { FaultyView(broker: self, inner: inner) }
    public var eventLog: any EventLog { FaultyView(broker: self, inner: inner) }
    public var board: any Board { FaultyView(broker: self, inner: inner) }

    public func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try await perform(.enqueue) { () async throws(BrokerError) in
            try await inner.enqueue(messages, to: queue)
        }
    }

    public func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try await perform(.reserve) { () async throws(BrokerError) in
            try await inner.reserve(request, from: queue)
        }
    }

    public func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await perform(.settle) { () async throws(BrokerError) in
            try await inner.settle(settlements, in: queue)
        }
    }

    /// One call of the wrapped broker, unless a fault is for one of the halves.
    public func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        let faults = (settlements.isEmpty ? nil : next(.settle), next(.reserve))
        if case (.none, .none) = faults {
            return await inner.settle(settlements, thenReserve: request, from: queue)
        }
        var result = SettledAndReserved(
            settled: .success([]), reserved: .success(.none(at: time.now())))
        do throws(BrokerError) {
            if !settlements.isEmpty {
                let outcomes = try await perform(.settle, faults.0) {
                    () async throws(BrokerError) in
                    try await inner.settle(settlements, in: queue)
                }
                result.settled = .success(outcomes)
            }
        } catch {
            result.settled = .failure(error)
        }
        do throws(BrokerError) {
            let reservation = try await perform(.reserve, faults.1) {
                () async throws(BrokerError) in
                try await inner.reserve(request, from: queue)
            }
            result.reserved = .success(reservation)
        } catch {
            result.reserved = .failure(error)
        }
        return result
    }

    public func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        perform(next(.settle)) { [inner] _ in
            inner.settleDetached(settlements, in: queue)
        } fail: { _ in
        }
    }

    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        perform(next(.renew)) { [inner] losesReply in
            inner.renew(tokens, for: lease, in: queue) { result in
                then(losesReply ? .failure(.unknown(Self.problem("renew"))) : result)
            }
        } fail: { error in
            then(.failure(error))
        }
    }

    public func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await perform(.checkpoint) { () async throws(BrokerError) in
            try await inner.checkpoint(checkpoints, in: queue)
        }
    }

    public func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await perform(.promote) { () async throws(BrokerError) in
            try await inner.promote(in: queue)
        }
    }

    public func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        try await perform(.reclaim) { () async throws(BrokerError) in
            try await inner.reclaim(limit, in: queue)
        }
    }

    public func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await perform(.prune) { () async throws(BrokerError) in
            try await inner.prune(limit, in: queue)
        }
    }

    public func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        switch next(.wait) {
        case .fail: return
        case .delay(let delay): await inner.time.sleep(for: delay)
        case .hold(let gate), .hang(let gate): await gate.wait()
        case .loseReply, .none: break
        }
        await inner.wait(for: kinds, in: queue, upTo: timeout)
    }

    public func shutdown() async { await inner.shutdown() }
}
