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
        /// So far ahead of all before that the device's next reading must bear it out: not used.
        case ahead
    }

    package var arrival = Arrival.fresh
    package var forecasts: [Forecast] = []
    package var events: [Event] = []
    package var alerts: [Alert] = []
}
