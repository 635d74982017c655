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

    /// Sends the calls of a plan in one write and gives every message its answer.
    private func send(
        _ plan: EnqueuePlan, to queue: RedisQueue, then: @escaping @Sendable (Answers) -> Void
    ) {
        let groups = plan.groups
        submit(groups.map { command($0, of: plan.messages, in: queue) }) { [self] result in
            var answers = Answers(count: plan.messages.count)
            let full = answers.take(groups, result, isFinal: false) {
                self.failure.error($0, "enqueue to '\(queue.name)'")
            }
            if full.isEmpty { return then(answers) }
            // A plain batch is refused as a whole when the queue can't hold all of it.
            let single = full.flatMap { EnqueuePlan.oneByOne($0) }
            let first = answers
            submit(single.map { command($0, of: plan.messages, in: queue) }) { result in
                var answers = first
                _ = answers.take(single, result, isFinal: true) {
                    self.failure.error($0, "enqueue to '\(queue.name)'")
                }
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

    /// Reads the replies; returns the groups that were refused because not all had room.
    mutating func take(
        _ groups: [EnqueuePlan.Group], _ result: Result<[RESPValue], RedisError>, isFinal: Bool,
        error: (RedisError) -> BrokerError
    ) -> [EnqueuePlan.Group] {
        let replies: [RESPValue]
        switch result {
        case .success(let values): replies = values
        case .failure(let failed):
            let failed = error(failed)
            for group in groups { for member in group.members { errors[member] = failed } }
            return []
        }
        var full: [EnqueuePlan.Group] = []
        for (group, reply) in zip(groups, replies) {
            if case .error(let text) = reply {
                if !isFinal, text.starts(with: "FULL".utf8) {
                    full.append(group)
                } else {
                    let failed = error(RedisError(reply: text))
                    for member in group.members { errors[member] = failed }
                }
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
        return full
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
