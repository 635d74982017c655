// SPDX-License-Identifier: Apache-2.0

extension DeviceState {
    /// Says once when the usage has jumped: the newest rate is sure, and far from the one before.
    mutating func judgeUse(_ current: Reading, _ findings: inout Findings) {
        guard countsPages, use.settled > 0, let leading = use.leading,
            leading.since > firstDay + 20, leading.since > jumpDay,
            use.weight(since: lastTime.day - 45) > 0.8
        else { return }
        let factor = use.centre.rate / use.settled
        guard factor > 1.5 || factor < 0.67 else { return }
        jumpDay = lastTime.day
        var found = event(.usageJump, current, detail: factor)
        found.time = Instant(day: leading.since)
        findings.events.append(found)
    }

    /// Says once when one colour is used three times as fast as the middle one of the three.
    mutating func judgeColors(_ current: Reading, _ findings: inout Findings) {
        var rates: [(at: Int, rate: Double)] = []
        for (at, supply) in supplies.enumerated()
        where supply.color != .black && supply.color != .none && supply.dropAll > 40 {
            rates.append((at, supply.dropAll / max(1e-9, supply.usageAll)))
        }
        guard rates.count >= 3 else { return }
        let middle = rates.map(\.rate).sorted()[rates.count / 2]
        for one in rates {
            let isFlagged = supplies[one.at].flags & 1 != 0
            if !isFlagged, one.rate > 3 * middle {
                supplies[one.at].flags |= 1
                var found = event(.colorImbalance, current, detail: one.rate / middle)
                found.supply = supplies[one.at].index
                findings.events.append(found)
            } else if isFlagged, one.rate < 2 * middle {
                supplies[one.at].flags &= ~1
            }
        }
    }

    /// Whether the device has been silent for over five of its usual intervals, and at least two days.
    package func isStale(asOf now: Instant) -> Bool {
        readings > 1 && now.day - lastTime.day > max(2, 5 * interval)
    }
}
