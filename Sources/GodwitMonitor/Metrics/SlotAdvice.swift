// SPDX-License-Identifier: Apache-2.0

/// How a queue moves, between two looks at its store.
public struct QueueFlow: Sendable, Hashable {
    /// Seconds that a message waits which is the next of the oldest kind; 0 when none is ready.
    public var oldestSeconds: Double
    public var ready: Int
    public var leased: Int
    /// Of all live workers that take new messages.
    public var slots: Int
    /// Of these, those in which a handler runs.
    public var busy: Int
    /// Enqueued and redriven per second; nil before the second look.
    public var arrivals: Double?
    /// Ended per second; nil before the second look.
    public var departures: Double?

    public init(
        oldestSeconds: Double, ready: Int, leased: Int, slots: Int, busy: Int,
        arrivals: Double? = nil, departures: Double? = nil
    ) {
        self.oldestSeconds = oldestSeconds
        self.ready = ready
        self.leased = leased
        self.slots = slots
        self.busy = busy
        self.arrivals = arrivals
        self.departures = departures
    }

    /// How many slots would keep up, for an autoscaler; between 0 and ``slotLimit``.
    ///
    /// By Little's law a queue keeps arrivals/s × mean run s slots busy, and slots should be busy to
    /// 70 %. The mean run is what the store shows: leased messages ÷ departures/s. What waits longer
    /// than a minute comes on top, so that it is gone in another minute. Without rates (the first
    /// look, or nothing ended between two) only the age speaks: one slot for what waits and nobody
    /// works, twice as many slots once the oldest waits for over 30 s. Never more slots than messages.
    public var suggestedSlots: Int {
        let live = ready + leased
        var wanted: Double
        if let arrivals, let departures, departures > 0 {
            let running = Double(busy > 0 ? min(busy, max(leased, 1)) : leased)
            let meanRun = running / departures
            wanted = arrivals * meanRun / Adviser.utilisation
            if oldestSeconds > 60 { wanted += Double(ready) * meanRun / 60 / Adviser.utilisation }
        } else if ready == 0 {
            wanted = Double(busy)
        } else {
            wanted = Double(max(1, slots)) * (oldestSeconds > 30 ? 2 : 1)
        }
        if live > 0 { wanted = max(1, wanted) }
        return min(Int(min(wanted.rounded(.up), Double(Self.slotLimit))), live)
    }

    public static let slotLimit = 10_000
}
