// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The words of a stream on a broker, with at most one defect planted between caller and broker.
actor StreamDoor {
    let broker: any StreamBroker
    let defect: StreamDefect?
    /// The newest token of each key.
    private var current: [String: LaneToken] = [:]
    private var extra: UInt64 = 0

    init(_ broker: any StreamBroker, _ defect: StreamDefect?) {
        self.broker = broker
        self.defect = defect
    }

    func append(
        _ points: [NewPoint], _ options: AppendOptions, to stream: QueueName
    ) async throws -> [AppendOutcome] {
        var outcomes = try await broker.append(points, to: stream, options: options)
        for index in outcomes.indices {
            if defect == .lateUnmarked, outcomes[index] == .appendedLate {
                outcomes[index] = .appended
            }
            if defect == .duplicateAppended, outcomes[index] == .duplicate {
                var again = points[index]
                extra += 1
                again.id = PointID(rawValue: extra)
                _ = try await broker.append([again], to: stream, options: AppendOptions())
            }
        }
        return outcomes
    }

    func reserve(_ request: LaneRequest, from stream: QueueName) async throws -> LaneReservation {
        var request = request
        if defect == .suspectInCompany { request.takesSuspects = true }
        var answer = try await broker.reserveLanes(request, from: stream)
        for lane in answer.lanes { current[lane.token.key] = lane.token }
        if defect == .orderSwapped, answer.lanes.count > 1 { answer.lanes.swapAt(0, 1) }
        return answer
    }

    func settle(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws -> [SettleOutcome] {
        let broken = settlements.map { settlement in
            var broken = settlement
            switch defect {
            case .noTokenCheck: broken.token = current[settlement.token.key] ?? settlement.token
            case .windowTooShort: broken.windowCount = max(0, settlement.windowCount - 1)
            case .emissionLost: broken.emissions = []
            case .stateLost: broken.state = nil
            case .attemptForgotten:
                if case .retry = settlement.end { broken.end = .release }
            case .blockIgnored:
                if case .block = settlement.end { broken.end = .next }
            default: break
            }
            return broken
        }
        let outcomes = try await broker.settleLanes(broken, in: stream)
        if defect == .emissionWithoutCommit {
            for (settlement, outcome) in zip(settlements, outcomes) where outcome == .stale {
                for emission in settlement.emissions {
                    _ = try await broker.enqueue([emission.message], to: emission.queue)
                }
            }
        }
        return outcomes
    }

    func renew(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName
    ) async throws -> [SettleOutcome] {
        let lease = defect == .renewalLost ? .milliseconds(1000) : lease
        return try await withCheckedContinuation { continuation in
            broker.renewLanes(tokens, for: lease, in: stream) { continuation.resume(returning: $0) }
        }.get()
    }

    func reclaim(_ limit: Int, in stream: QueueName) async throws -> Int {
        let count = try await broker.reclaimLanes(limit, in: stream)
        if defect == .reclaimUncounted { try await broker.reclaimLanes(1, in: stream) }
        return count
    }

    func replay(_ key: String, window: Int, in stream: QueueName) async throws -> Bool {
        try await broker.streamOperator.replayLane(
            key, window: defect == .replayTooShort ? max(1, window - 1) : window, in: stream)
    }

    func forget(_ key: String, in stream: QueueName) async throws -> Bool {
        if defect == .forgetLost {
            let lane = try await broker.streamInspector.lane(key, window: 0, in: stream)
            return lane?.summary.phase == .idle
        }
        return try await broker.streamOperator.forgetLane(key, in: stream)
    }
}
