// SPDX-License-Identifier: Apache-2.0

/// Numbers of one name that were read somewhere, to be handed out with those that are counted here.
public struct MetricFamily: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case counter, gauge, histogram
    }

    public struct Sample: Sendable, Hashable {
        /// Names and values, in the order in which they are written.
        public var labels: [Label]
        public var value: Double

        public init(_ labels: [Label] = [], _ value: Double) {
            self.labels = labels
            self.value = value
        }
    }

    public struct Label: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Without `_total`, which counters get when they are written.
    public var name: String
    public var kind: Kind
    public var samples: [Sample]

    public init(_ name: String, _ kind: Kind, _ samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.samples = samples
    }
}

/// What the names mean that Godwit counts under, and which buckets their histograms have.
enum MetricCatalogue {
    /// The only labels: never an id, a key or a worker.
    static let labels = [
        "queue", "kind", "stream", "word", "verdict", "outcome", "rule", "state", "cause",
    ]

    /// 5 ms … 1 h, for waits and runs of jobs.
    static let jobSeconds = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600,
    ]
    /// 50 µs … 10 s, for trips to a store.
    static let tripSeconds = [
        0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
        1, 5, 10,
    ]
    static let sizes = (0..<16).map { Double(1 << $0) }

    static func bounds(of name: String, isTime: Bool) -> [Double] {
        if name == "godwit_store_seconds" { return tripSeconds }
        return isTime ? jobSeconds : sizes
    }

    static func help(of name: String) -> String? { texts[name] }

    private static let texts = [
        "godwit_enqueued": "Messages that this process enqueued.",
        "godwit_runs": "Runs that this process settled, by their verdicts.",
        "godwit_wait_seconds": "From ready to reserved, by the store's clock.",
        "godwit_run_seconds": "How long handlers ran in this process.",
        "godwit_jobs": "Messages in the store, by state.",
        "godwit_oldest_ready_seconds": "For how long the oldest ready message has waited.",
        "godwit_drain_seconds": "Until no message is ready, at the rate of the last minute.",
        "godwit_slots": "Slots of live workers, by what they do.",
        "godwit_leases_lost": "Leases that this process lost while it held them.",
        "godwit_crash_loops": "Messages given up because run after run was lost.",
        "godwit_stale_settles": "Settles, renewals and checkpoints that came too late.",
        "godwit_reclaimed": "Leases of others that this process took back.",
        "godwit_clock_steps": "Waits below zero: the store's clock went back.",
        "godwit_store_seconds": "How long a trip to the store took.",
        "godwit_store_errors": "Trips to the store that failed, by cause.",
        "godwit_store_up": "Whether the last look at the store succeeded.",
        "godwit_batch_size": "Entries in one call.",
        "godwit_events_waiting": "Calls whose events wait for an archiver.",
        "godwit_events_dropped": "Events that were dropped before they were archived.",
        "godwit_history_lag_seconds": "The age of the oldest event that waits for an archiver.",
        "godwit_alerts": "Alerts, by rule and what became of them.",
        "godwit_stream_lag": "Points that wait or run.",
        "godwit_stream_keys_active": "Keys with points that wait, run or are parked.",
        "godwit_stream_late": "Points that came behind their key's position.",
    ]
}
