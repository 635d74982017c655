// SPDX-License-Identifier: Apache-2.0

/// The analysis of one reading with what is known of its device: pure, O(1) in the device's age.
package struct Analysis: Sendable {
    package var rules = AlertRules()

    package init() {}

    /// Takes `current` into the state and says what follows from it.
    ///
    /// - Parameter previous: the device's last readings, oldest first by arrival. It is looked at only
    ///   when `current` is not newer than the newest before it, so a lazy collection costs nothing.
    /// - Returns: forecasts per supply in the order of their index, events and alerts. Called again
    ///   with the same state and reading it returns the same, byte for byte.
    package func analyse(
        current: Reading, previous: some Collection<Reading>, state: inout DeviceState
    ) -> Findings {
        var findings = Findings()
        if state.readings > 0, current.time <= state.lastTime {
            findings.arrival = arrival(current, previous, &state)
            if findings.arrival == .late { state.hear(late: current) }
            return findings
        }
        if state.doubts(current, previous, &findings) { return findings }
        state.move(to: current, &findings)
        for supply in current.supplies { state.take(supply, of: current, &findings) }
        state.judgeUse(current, &findings)
        state.judgeColors(current, &findings)
        for at in state.supplies.indices {
            guard current.supplies.contains(where: { $0.index == state.supplies[at].index }) else {
                continue
            }
            let forecast = state.forecast(state.supplies[at], device: current.device)
            if let alert = rules.judge(forecast, &state.supplies[at].alert) {
                findings.alerts.append(alert)
            }
            findings.forecasts.append(forecast)
        }
        return findings
    }

    private func arrival(
        _ current: Reading, _ previous: some Collection<Reading>, _ state: inout DeviceState
    ) -> Findings.Arrival {
        var isOlder = true
        for reading in previous {
            if reading.time == current.time {
                state.duplicates += 1
                return .duplicate
            }
            if reading.time < current.time { isOlder = false }
        }
        if current.time == state.lastTime {
            state.duplicates += 1
            return .duplicate
        }
        state.late += 1
        return isOlder ? .tooLate : .late
    }
}
