// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient
import Synchronization

extension RedisBroker {
    /// Fewer than these are gathered with other callers' messages; more go on their own.
    private static let gathered = 32
    /// What one flight takes; the rest waits for the next.
    private static let flight = 2048

    /// Messages of many callers share a call: while one is under way the next ones gather, and all
    /// of them go when it has landed. Nobody waits for a batch to fill. A caller that is cancelled
    /// waits for its answer nevertheless.
    public func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try validation.check(messages, for: queue, at: time.now() + clockOffset)
        if messages.isEmpty { return [] }
        let queue = book(queue)
        let generation = client.generation
        try await register(messages.lazy.map(\.kind), in: queue, asProducer: true)
        let result = await withUnsafeContinuation { continuation in
            if messages.count < Self.gathered {
                board(.init(messages: messages, arrived: continuation), in: queue)
            } else {
                send(plan(messages), to: queue) { answers in
                    continuation.resume(returning: answers.outcomes(of: messages.indices))
                }
            }
        }
        if generation != client.generation, case .success = result {
            // The messages went over a new connection, maybe to a server that has lost our kinds.
            // What fails here is done by the next call.
            try? await register(messages.lazy.map(\.kind), in: queue, asProducer: true)
        }
        return try result.get()
    }

    private func plan(_ messages: [NewMessage]) -> EnqueuePlan {
        EnqueuePlan(
            messages, limits: limits, now: time.now() + clockOffset,
            slack: time.isVirtual ? .zero : .seconds(10))
    }

    /// Takes a passenger along: at once where nothing is under way, else with the next flight.
    private func board(_ passenger: RedisQueue.Passenger, in queue: RedisQueue) {
        let departs = queue.state.withLock { state in
            if state.isFlying {
                state.gathering.append(passenger)
                return false
            }
            state.isFlying = true
            return true
        }
        if departs { fly([passenger], in: queue) }
    }

    private func fly(_ passengers: [RedisQueue.Passenger], in queue: RedisQueue) {
        let messages =
            passengers.count == 1 ? passengers[0].messages : passengers.flatMap(\.messages)
        send(plan(messages), to: queue) { [self] answers in
            var start = 0
            for passenger in passengers {
                let end = start + passenger.messages.count
                passenger.arrived.resume(returning: answers.outcomes(of: start..<end))
                start = end
            }
            let next = queue.state.withLock { state -> [RedisQueue.Passenger] in
                let waiting = state.gathering.prefix(Self.flight)
                    .reduce(0) { $0 + $1.messages.count }
                // Why: what is left over a full call would be a call of its own for a few messages;
                // it goes with those who come meanwhile.
                let room = waiting < Self.batch ? waiting : waiting / Self.batch * Self.batch
                var count = 0
                var seats = 0
                while seats < state.gathering.count, count < Self.flight {
                    count += state.gathering[seats].messages.count
                    if count > room { break }
                    seats += 1
                }
                let next = Array(state.gathering.prefix(seats))
                state.gathering.removeFirst(seats)
                state.isFlying = !next.isEmpty
                return next
            }
            if !next.isEmpty { fly(next, in: queue) }
        }
    }

    /// Calls that go in one write: so that the deadline of a reply holds for some megabytes at most,
    /// and others' calls find a place between them.
    private static let window = 16

    /// Sends the calls of a plan, a window at a time, and gives every message its answer.
    private func send(
        _ plan: EnqueuePlan, to queue: RedisQueue, then: @escaping @Sendable (Answers) -> Void
    ) {
        send(plan, 0, Answers(count: plan.messages.count), to: queue, then)
    }

    private func send(
        _ plan: EnqueuePlan, _ start: Int, _ answers: Answers, to queue: RedisQueue,
        _ then: @escaping @Sendable (Answers) -> Void
    ) {
        let end = min(start + Self.window, plan.groups.count)
        let groups = plan.groups[start..<end]
        submit(groups.map { command($0, of: plan.messages, in: queue) }) { [self] result in
            var answers = answers
            func broken(_ error: RedisError) -> BrokerError {
                failure.error(error, "enqueue to '\(queue.name)'")
            }
            switch result {
            case .success(let replies):
                answers.take(groups, replies, error: broken)
                if end == plan.groups.count { return then(answers) }
                send(plan, end, answers, to: queue, then)
            case .failure(let error):
                // Order: what comes behind is not sent at all.
                answers.fail(plan.groups[start...], broken(error))
                then(answers)
            }
        }
    }
}

/// The answers to the messages of a plan.
private struct Answers: Sendable {
    private var outcomes: [EnqueueOutcome]
    private var errors: [Int: BrokerError] = [:]

    init(count: Int) { outcomes = Array(repeating: .enqueued, count: count) }

    /// What a caller hears about its part: an error of any of its messages is the call's.
    func outcomes(of range: Range<Int>) -> Result<[EnqueueOutcome], BrokerError> {
        if !errors.isEmpty {
            let own = range.compactMap { errors[$0] }
            // Why: one part may be unknown and another refused; then the call as a whole is unknown.
            let worst = own.first { if case .unknown = $0 { true } else { false } } ?? own.first
            if let worst { return .failure(own.count < range.count ? worst.asUnknown : worst) }
        }
        return .success(range.count == outcomes.count ? outcomes : Array(outcomes[range]))
    }

    /// What no answer came for.
    mutating func fail(_ groups: ArraySlice<EnqueuePlan.Group>, _ error: BrokerError) {
        for group in groups { for member in group.members { errors[member] = error } }
    }

    /// Reads the replies of these groups.
    mutating func take(
        _ groups: ArraySlice<EnqueuePlan.Group>, _ replies: [RESPValue],
        error: (RedisError) -> BrokerError
    ) {
        for (group, reply) in zip(groups, replies) {
            if case .error(let text) = reply {
                let failed = error(RedisError(reply: text))
                for member in group.members { errors[member] = failed }
                continue
            }
            guard let refused = reply.elements, !refused.isEmpty else { continue }
            for start in stride(from: 0, to: refused.count - 2, by: 3) {
                guard let place = refused[start].int, group.members.indices.contains(place) else {
                    continue
                }
                outcomes[group.members[place]] = Self.outcome(
                    refused[start + 1], refused[start + 2])
            }
        }
    }

    private static func outcome(_ code: RESPValue, _ info: RESPValue) -> EnqueueOutcome {
        switch code.int {
        case 1: .known
        case 4: info.bytes.flatMap { MessageID(bytes: $0) }.map { .duplicate(of: $0) } ?? .unknown
        case 5: .full
        default: .unknown
        }
    }
}
