// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// What a message asks of its handler.
package struct Load: Codable, Sendable, Hashable {
    package var index: Int
    /// How long the work takes.
    package var milliseconds: Int
    /// So many attempts fail, then one succeeds.
    package var failures: Int

    package init(index: Int, milliseconds: Int, failures: Int = 0) {
        self.index = index
        self.milliseconds = milliseconds
        self.failures = failures
    }
}

/// One of two kinds, so that a queue holds more than one.
package struct Parcel: Job {
    package static let name = "crash.parcel"
    package static let defaults = JobDefaults(retry: .crash)
    package var load: Load

    package init(_ load: Load) { self.load = load }
}

package struct Letter: Job {
    package static let name = "crash.letter"
    package static let defaults = JobDefaults(retry: .crash)
    package var load: Load

    package init(_ load: Load) { self.load = load }
}

extension RetryPolicy {
    /// Short, so that a message's whole life fits into a test.
    fileprivate static let crash = RetryPolicy.exponential(
        maxAttempts: 6, base: .milliseconds(20), cap: .milliseconds(200))
}
