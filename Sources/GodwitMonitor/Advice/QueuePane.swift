// SPDX-License-Identifier: Apache-2.0

/// What went through a queue in a span of time: one of the two panes that advice looks through.
///
/// All times are in seconds. A wait is counted from `readyAt`, never from `insertedAt`: a mail that was
/// delayed on purpose has not waited.
public struct QueuePane: Sendable, Hashable, Codable {
    /// The part of one kind.
    public struct Kind: Sendable, Hashable, Codable {
        public var kind: String
        public var runs: Int
        public var meanWait: Double
        public var meanRun: Double
        public var p95Run: Double

        public init(
            kind: String, runs: Int, meanWait: Double, meanRun: Double, p95Run: Double
        ) {
            self.kind = kind
            self.runs = runs
            self.meanWait = meanWait
            self.meanRun = meanRun
            self.p95Run = p95Run
        }
    }

    public var span: Double
    /// How many became ready, for the first time or again: what the slots had to do. Messages that were
    /// enqueued for later do not count until they are due.
    public var arrivals: Int
    /// Runs that ended, whatever their verdict.
    public var runs: Int
    public var retries: Int
    /// Retries and rejects: failures that were reported.
    public var failures: Int
    public var releases: Int
    /// Leases that ran out.
    public var lost: Int
    public var crashLoops: Int
    public var meanWait: Double
    /// From the reserve to the end: with a deep prefetch, more than the work itself.
    public var meanRun: Double
    public var p95Run: Double
    /// Slots of live workers, and how many of them were busy, on average; nil: nobody looked.
    public var slots: Double?
    public var busySlots: Double?
    /// The fewest that were ready at any look; nil: nobody looked.
    public var leastReady: Int?
    public var kinds: [Kind]
    /// The most frequent failures first.
    public var groups: [ErrorGroup]

    public init(
        span: Double, arrivals: Int, runs: Int, retries: Int = 0, failures: Int = 0,
        releases: Int = 0, lost: Int = 0, crashLoops: Int = 0, meanWait: Double, meanRun: Double,
        p95Run: Double, slots: Double? = nil, busySlots: Double? = nil, leastReady: Int? = nil,
        kinds: [Kind] = [], groups: [ErrorGroup] = []
    ) {
        self.span = span
        self.arrivals = arrivals
        self.runs = runs
        self.retries = retries
        self.failures = failures
        self.releases = releases
        self.lost = lost
        self.crashLoops = crashLoops
        self.meanWait = meanWait
        self.meanRun = meanRun
        self.p95Run = p95Run
        self.slots = slots
        self.busySlots = busySlots
        self.leastReady = leastReady
        self.kinds = kinds
        self.groups = groups
    }

    /// Per second.
    var inRate: Double { span > 0 ? Double(arrivals) / span : 0 }
    var outRate: Double { span > 0 ? Double(runs) / span : 0 }

    /// How long a run kept a slot. Why not simply the mean run: that one includes the time that a
    /// prefetched message waited in its worker's hands, and would ask for far too many slots.
    var service: Double {
        guard let busySlots, runs > 0 else { return meanRun }
        return min(meanRun, busySlots * span / Double(runs))
    }

    /// How much of the slots' time was used, 0 to 1.
    func utilisation(slots now: Int) -> Double {
        let slots = slots ?? Double(now)
        guard slots > 0, span > 0 else { return 0 }
        return min(1, (busySlots ?? (Double(runs) * meanRun / span)) / slots)
    }

    func share(_ count: Int) -> Double { runs > 0 ? Double(count) / Double(runs) : 0 }
}

/// The same queue over five minutes and over an hour.
public struct QueuePanes: Sendable, Hashable, Codable {
    public var short: QueuePane
    public var long: QueuePane

    public init(short: QueuePane, long: QueuePane) {
        self.short = short
        self.long = long
    }

    /// Both say so: one alone may be a burst that is over, or one that has just begun.
    func agree(_ says: (QueuePane) -> Bool) -> Bool { says(short) && says(long) }
}
