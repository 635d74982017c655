// SPDX-License-Identifier: Apache-2.0

/// How a device's usage spreads over the days of the week (UTC), mean 1.
struct WeekProfile: Hashable, Sendable {
    /// Decayed usage and days by weekday, 0 = Monday.
    var usage: [Double]
    var days: [Double]
    /// Normal days per day. Why kept and not derived: each refresh starts from the one before.
    private(set) var share: [Double]

    static let prior: [Double] = [1.25, 1.25, 1.25, 1.25, 1.25, 0.4, 0.35]
    private static let decay = 150.0

    init() {
        usage = [Double](repeating: 0, count: 7)
        days = [Double](repeating: 0, count: 7)
        share = Self.prior
    }

    init(usage: [Double], days: [Double], share: [Double]) {
        self.usage = usage
        self.days = days
        self.share = share
    }

    /// Normal days between two moments, both in days since 1970.
    func exposure(_ from: Double, _ to: Double) -> Double {
        guard to > from else { return 0 }
        let first = from.rounded(.down)
        let last = to.rounded(.down)
        let startDay = Int(first)
        if first == last { return (to - from) * share[Instant.weekday(ofDay: startDay)] }
        let count = Int(last) - startDay
        var sum = (first + 1 - from) * share[Instant.weekday(ofDay: startDay)]
        sum += (to - last) * share[Instant.weekday(ofDay: startDay + count)]
        let whole = count - 1
        sum += 7 * Double(whole / 7)
        for day in 0..<whole % 7 { sum += share[Instant.weekday(ofDay: startDay + 1 + day)] }
        return sum
    }

    /// The moment at which `exposure` normal days have passed since `from`.
    func moment(after exposure: Double, from: Double) -> Double {
        guard exposure < 3650 else { return from + exposure }
        let weeks = (exposure / 7).rounded(.down)
        var rest = exposure - 7 * weeks
        var at = from + 7 * weeks
        for _ in 0..<9 {
            let day = at.rounded(.down)
            let rate = share[Instant.weekday(ofDay: Int(day))]
            let room = (day + 1 - at) * rate
            if room >= rest { return rate > 0 ? at + rest / rate : at }
            rest -= room
            at = day + 1
        }
        return at
    }

    /// Spreads `amount` used between two moments over the weekdays between them, by what is known.
    mutating func learn(_ amount: Double, _ from: Double, _ to: Double) {
        guard to > from, to - from <= 4 else { return }
        let total = exposure(from, to)
        var at = from
        while at < to {
            let day = at.rounded(.down)
            let end = min(to, day + 1)
            let weekday = Instant.weekday(ofDay: Int(day))
            let part = end - at
            let keep = 1 - part / Self.decay * 7
            let weight = total > 1e-9 ? part * share[weekday] / total : part / (to - from)
            usage[weekday] = usage[weekday] * keep + amount * weight
            days[weekday] = days[weekday] * keep + part
            at = end
        }
        refresh()
    }

    private mutating func refresh() {
        var totalUsage = 0.0
        var expected = 0.0
        for day in 0..<7 {
            totalUsage += usage[day]
            expected += days[day] * share[day]
        }
        guard totalUsage > 0, expected > 0 else { return }
        let unit = totalUsage / expected
        let weight = Tuning.weekWeight / 7
        var sum = 0.0
        for day in 0..<7 {
            share[day] =
                (usage[day] / unit + weight * Self.prior[day]) / (days[day] + weight)
            sum += share[day]
        }
        for day in 0..<7 { share[day] = max(0.001, share[day] * 7 / sum) }
    }
}
