// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore

extension RemoteBroker: StreamOperator {
    private static func request(
        _ key: String, _ stream: QueueName, window: Int = 0
    ) -> Godwit_V1_LaneRequest {
        var wire = Godwit_V1_LaneRequest()
        wire.stream = stream.text
        wire.key = key
        wire.window = UInt32(clamping: window)
        return wire
    }

    public func redriveLane(
        _ key: String, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try await courier.call("redrive a key of '\(stream)'", Self.request(key, stream)) {
            [lanesOfStreams] in try await lanesOfStreams.redriveLane(request: $0, options: $1)
        }.moved
    }

    public func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        var wire = Godwit_V1_SkipPointRequest()
        wire.stream = stream.text
        wire.key = key
        wire.position = position
        wire.emission = emission.wire
        return try await courier.call("skip a point in '\(stream)'", wire) { [lanesOfStreams] in
            try await lanesOfStreams.skipPoint(request: $0, options: $1)
        }.moved
    }

    public func replayLane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check(window: window, for: "replay a key of '\(stream)'")
        return try await courier.call(
            "replay a key of '\(stream)'", Self.request(key, stream, window: window)
        ) { [lanesOfStreams] in
            try await lanesOfStreams.replayLane(request: $0, options: $1)
        }.moved
    }

    public func forgetLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool {
        try await courier.call("forget a key of '\(stream)'", Self.request(key, stream)) {
            [lanesOfStreams] in try await lanesOfStreams.forgetLane(request: $0, options: $1)
        }.moved
    }
}

extension RemoteBroker: StreamInspector {
    public func streams() async throws(BrokerError) -> [QueueName] {
        try await courier.call("list streams", isRead: true, Godwit_V1_ListStreamsRequest()) {
            [lanesOfStreams] in try await lanesOfStreams.listStreams(request: $0, options: $1)
        }.streams.compactMap { try? QueueName($0) }
    }

    public func counts(
        ofStream stream: QueueName
    ) async throws(BrokerError) -> StreamCounts {
        var wire = Godwit_V1_StreamRequest()
        wire.stream = stream.text
        return StreamCounts(
            try await courier.call("count '\(stream)'", isRead: true, wire) { [lanesOfStreams] in
                try await lanesOfStreams.streamCounts(request: $0, options: $1)
            })
    }

    public func lanes(
        of stream: QueueName, by order: LaneOrder, limit: Int
    ) async throws(BrokerError) -> [LaneSummary] {
        var wire = Godwit_V1_LanesRequest()
        wire.stream = stream.text
        wire.order = order == .lag ? .lag : .activity
        wire.limit = UInt32(clamping: limit)
        return try await courier.call("list keys of '\(stream)'", isRead: true, wire) {
            [lanesOfStreams] in try await lanesOfStreams.lanes(request: $0, options: $1)
        }.lanes.compactMap { LaneSummary($0) }
    }

    public func lane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> LaneRecord? {
        try validation.check(window: window, for: "read a key of '\(stream)'")
        let response = try await courier.call(
            "read a key of '\(stream)'", isRead: true, Self.request(key, stream, window: window)
        ) { [lanesOfStreams] in try await lanesOfStreams.lane(request: $0, options: $1) }
        return response.hasLane ? LaneRecord(response.lane) : nil
    }

    public func droppedKeys(
        of stream: QueueName
    ) async throws(BrokerError) -> [DroppedKey] {
        var wire = Godwit_V1_StreamRequest()
        wire.stream = stream.text
        return try await courier.call("list dropped keys of '\(stream)'", isRead: true, wire) {
            [lanesOfStreams] in try await lanesOfStreams.droppedKeys(request: $0, options: $1)
        }.keys.map { DroppedKey($0) }
    }
}
