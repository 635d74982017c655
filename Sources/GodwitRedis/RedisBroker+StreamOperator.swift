// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: StreamOperator {
    public func redriveLane(
        _ key: String, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try await operate("redrive", key, in: stream)
    }

    public func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check([emission.message], for: emission.queue, at: .latest)
        if position >= 1 << 48 { return false }
        try await registerTargets(of: CollectionOfOne(emission))
        return try await operate("skip", key, Int(position), [emission], in: stream)
    }

    public func replayLane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check(window: window, for: "replay a key of '\(stream)'")
        return try await operate("replay", key, window, in: stream)
    }

    public func forgetLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool {
        try await operate("forget", key, in: stream)
    }

    /// One call of STREAM_OPERATE.
    private func operate(
        _ word: String, _ key: String, _ number: Int = 0, _ emissions: [Emission] = [],
        in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        var command = call(
            scripts.streamOperate, in: streamBook(stream),
            capacity: emissions.reduce(512) { $0 + $1.message.body.count + 512 })
        command.append(word)
        command.append(key)
        command.append(number)
        append([(lane: 1, emissions: emissions)], to: &command)
        seal(&command)
        return try await self.number(of: command, "\(word) a key of '\(stream)'") == 1
    }
}
