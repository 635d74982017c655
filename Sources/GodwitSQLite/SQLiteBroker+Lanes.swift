// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// An operator's moves on single keys, each one step of the store.
extension SQLiteBroker: StreamOperator {
    public func redriveLane(
        _ key: String, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try await run("redrive a key of '\(stream)'") { (store) throws(StoreFault) in
            try store.redriveLane(key, in: stream)
        }
    }

    public func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check([emission.message], for: emission.queue, at: .latest)
        return try await run("skip a point of '\(stream)'") { (store) throws(StoreFault) in
            try store.skipPoint(of: key, at: position, emission, in: stream)
        }
    }

    public func replayLane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check(window: window, for: "replay a key of '\(stream)'")
        return try await run("replay a key of '\(stream)'") { (store) throws(StoreFault) in
            try store.replayLane(key, window: window, in: stream)
        }
    }

    public func forgetLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool {
        try await run("forget a key of '\(stream)'") { (store) throws(StoreFault) in
            try store.forgetLane(key, in: stream)
        }
    }
}

/// Reads on a connection of their own.
extension SQLiteBroker: StreamInspector {
    public func streams() async throws(BrokerError) -> [QueueName] {
        try await reader.read("list streams") { try $0.streamNames() }
    }

    public func counts(ofStream stream: QueueName) async throws(BrokerError) -> StreamCounts {
        try await reader.read("count '\(stream)'") { db in
            try db.streamState(stream)?.counts ?? StreamCounts()
        }
    }

    public func lanes(
        of stream: QueueName, by order: LaneOrder, limit: Int
    ) async throws(BrokerError) -> [LaneSummary] {
        try await reader.read("list the keys of '\(stream)'") { db in
            try db.lanes(of: stream, by: order, limit: limit)
        }
    }

    public func lane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> LaneRecord? {
        try validation.check(window: window, for: "look up a key of '\(stream)'")
        return try await reader.read("look up a key of '\(stream)'") { db in
            try db.laneRecord(key, window: window, in: stream)
        }
    }

    public func droppedKeys(of stream: QueueName) async throws(BrokerError) -> [DroppedKey] {
        try await reader.read("list dropped keys of '\(stream)'") { db in
            try db.droppedKeys(of: stream)
        }
    }
}
