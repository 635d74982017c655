// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient
import Synchronization

/// Keyed streams, in one profile: packed. Keys of a stream, behind the tag `{ns:s:<stream>:0}:`
///
///     p:<key>  LIST    waiting points, none while the lane is idle      bound: maxPending
///     l:<key>  SET     ids of the late ones among them
///     w:<key>  STRING  the window, points one behind the other          commit cuts it
///     ln       HASH    key → position, newest, attempt, lost, handledAt, small state
///     sv  why  HASH    key → larger state · reason of the last failure, while it matters
///     rd  rd!  LIST    ready lanes · suspects                           at most one entry a key
///     ll       ZSET    nonce 8 ‖ key → deadline      ld  lb  key → due · since
///     st  cfg  HASH    counters · cursor of the idle sweep      dk  LIST  dropped keys, 1,000
///
/// See `Scripts/stream_….lua`. The dead letters are of the queue of the same name. No cluster yet: a
/// commit writes to the queues that it emits to, which may live in other slots.
extension RedisBroker: StreamBroker {
    public var streamOperator: any StreamOperator { self }
    public var streamInspector: any StreamInspector { self }

    /// One call after the other where it takes several, so that no part of a key's points can be
    /// refused while a later one is accepted. A caller that is cancelled waits for its answer.
    public func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome] {
        try validation.check(points, for: stream)
        if points.isEmpty { return [] }
        let what = "append to '\(stream)'"
        let book = streamBook(stream)
        let generation = client.generation
        try await registerStream(book)
        let plan = AppendPlan(points)
        var outcomes = Array(repeating: AppendOutcome.appended, count: points.count)
        for (number, call) in plan.calls.enumerated() {
            let reply: RESPValue
            do throws(BrokerError) {
                reply = try await value(of: command(call, of: points, options, to: book), what)
            } catch {
                throw number == 0 ? error : error.asUnknown
            }
            guard let answers = reply.elements else { throw failure.unreadable(what) }
            if answers.isEmpty { continue }
            let members = call.members
            for start in stride(from: 0, to: answers.count - 1, by: 2) {
                guard let place = answers[start].int, members.indices.contains(place),
                    let outcome = Self.outcome(answers[start + 1].int)
                else { throw failure.unreadable(what) }
                outcomes[members[place]] = outcome
            }
        }
        if generation != client.generation {
            // The points went over a new connection, maybe to a server that has lost the registry.
            try? await registerStream(book)
        }
        return outcomes
    }

    private static func outcome(_ code: Int?) -> AppendOutcome? {
        switch code {
        case 1: .appendedLate
        case 2: .late
        case 3: .duplicate
        case 4: .full
        case 5: .ahead
        default: nil
        }
    }

    /// Lists the stream in the registry where this process has not done so on this connection, so
    /// that nobody needs to scan the store for streams.
    private func registerStream(_ stream: RedisQueue) async throws(BrokerError) {
        let generation = client.generation
        let isKnown = stream.state.withLock { $0.isRegistered && $0.generation == generation }
        if isKnown { return }
        let field = KeySpace.field(ofStream: stream.name)
        let command = RedisCommand([
            "HSET", stream.keys.registry, field, KeySpace.registeredStream,
        ])
        _ = try await value(of: command, "register '\(stream.name)'")
        stream.state.withLock { state in
            state.generation = generation
            state.isRegistered = true
        }
    }
}
