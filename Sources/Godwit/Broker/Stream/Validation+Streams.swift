// SPDX-License-Identifier: Apache-2.0

extension Validation {
    package func check(_ points: [NewPoint], for stream: QueueName) throws(BrokerError) {
        for point in points {
            if point.key.isEmpty || point.key.utf8.count > StreamLimits.keyBytes {
                throw refusal(
                    "append to '\(stream)'", "a key has \(point.key.utf8.count) bytes",
                    "Use 1 to \(StreamLimits.keyBytes) bytes; a digest of a longer key will do.")
            }
            if point.body.count > StreamLimits.pointBytes {
                throw refusal(
                    "append to '\(stream)'",
                    "a point of '\(point.key.escapedForDisplay)' has \(point.body.count) bytes, "
                        + "\(StreamLimits.pointBytes) are allowed",
                    "Store the data elsewhere and append where it is.")
            }
        }
    }

    package func check(_ request: LaneRequest, from stream: QueueName) throws(BrokerError) {
        try check(lease: request.lease, for: "reserve from '\(stream)'")
    }

    package func check(window: Int, for what: @autoclosure () -> String) throws(BrokerError) {
        if window < 0 || window > StreamLimits.window {
            throw refusal(
                what(), "a window of \(window) points",
                "Keep 0 to \(StreamLimits.window) points; condense older ones into the state.")
        }
    }

    package func check(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) throws(BrokerError) {
        for settlement in settlements {
            let key = settlement.token.key.escapedForDisplay
            let what = "commit '\(key)' in '\(stream)'"
            try check(window: settlement.windowCount, for: what)
            if settlement.handled < 0 {
                throw refusal(what, "\(settlement.handled) handled points", "Count from zero.")
            }
            if let state = settlement.state, state.count > StreamLimits.stateBytes {
                throw refusal(
                    what,
                    "its state has \(state.count) bytes, \(StreamLimits.stateBytes) are allowed",
                    "Keep sums in the state and lists elsewhere.")
            }
            for emission in settlement.emissions {
                try check([emission.message], for: emission.queue, at: .latest)
            }
        }
    }
}
