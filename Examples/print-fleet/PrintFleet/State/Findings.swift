// SPDX-License-Identifier: Apache-2.0

/// What the analysis of one reading gives.
package struct Findings: Hashable, Sendable {
    package enum Arrival: String, Sendable {
        /// Newer than all before.
        case fresh
        /// Same time as one in the window: changes nothing.
        case duplicate
        /// Older than the newest, within the window: may confirm or deny, the sums stand.
        case late
        /// Older than the window: counted, nothing else.
        case tooLate
    }

    package var arrival = Arrival.fresh
    package var forecasts: [Forecast] = []
    package var events: [Event] = []
    package var alerts: [Alert] = []
}
