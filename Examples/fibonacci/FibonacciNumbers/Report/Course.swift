// SPDX-License-Identifier: Apache-2.0

/// What became of one message, in milliseconds: as its store tells it.
package struct Course: Sendable, Hashable, Encodable {
    package enum End: String, Sendable, Hashable, Encodable {
        case completed, dead, open
    }

    /// A run whose lease ran out.
    package struct Loss: Sendable, Hashable, Encodable {
        /// Who held it, by the order in which workers were started, from 1; nil for a stranger.
        package let worker: Int?
        /// From the start of the run to the moment another worker took the lease back.
        package let milliseconds: Int

        package init(worker: Int?, milliseconds: Int) {
            self.worker = worker
            self.milliseconds = milliseconds
        }
    }

    package var n: UInt32
    /// Of its answer in the results; nil when there is none.
    package var digits: Int?
    package var message: String
    package var end: End
    /// From the enqueue to the start of the run that ended it, from there to its end, and both.
    package var wait = 0
    package var run = 0
    package var total = 0
    /// Reserves, and among them those that ended in a reported failure.
    package var runs = 0
    package var failures = 0
    package var losses: [Loss] = []
    /// How often the event log says that it was acked.
    package var acks = 0
    /// Who ended it.
    package var worker: Int?
    /// Why it is dead, or what its last failure was.
    package var reason: String?

    package init(n: UInt32, message: String, end: End) {
        self.n = n
        self.message = message
        self.end = end
    }
}

/// A worker that was killed, and the numbers it was at.
package struct Killed: Sendable, Hashable, Encodable {
    package let worker: Int
    package let process: Int32
    package let held: [UInt32]

    package init(worker: Int, process: Int32, held: [UInt32]) {
        self.worker = worker
        self.process = process
        self.held = held
    }
}

/// What the service counted.
package struct ServiceSums: Sendable, Hashable, Codable {
    package var calls = 0
    package var answered = 0
    /// INVALID_ARGUMENT.
    package var refused = 0
    /// UNAVAILABLE.
    package var putOff = 0
    /// Nobody waited for the answer any longer: the call's time was over, or its caller was killed.
    package var abandoned = 0

    package init() {}
}

/// What an independent implementation found in the results.
package struct Comparison: Sendable, Hashable, Codable {
    /// Who compared.
    package let by: String
    package let compared: Int
    /// Numbers whose digits differ.
    package let differing: [UInt32]

    package init(by: String, compared: Int, differing: [UInt32]) {
        self.by = by
        self.compared = compared
        self.differing = differing
    }
}
