// SPDX-License-Identifier: Apache-2.0

/// One number of the results, and who brought it.
package struct Answer: Sendable, Hashable, Codable {
    package let n: UInt32
    /// F(n) in decimal digits.
    package let decimal: String
    /// The message that asked for it.
    package let message: String
    /// Which run of the message it was, by reserves, from 1.
    package let run: Int
    /// The worker process.
    package let process: Int32
    /// How long the service waited before it computed, and how long it computed.
    package let waitedMilliseconds: Int
    package let computedMicroseconds: Int

    package init(
        n: UInt32, decimal: String, message: String, run: Int, process: Int32,
        waitedMilliseconds: Int, computedMicroseconds: Int
    ) {
        self.n = n
        self.decimal = decimal
        self.message = message
        self.run = run
        self.process = process
        self.waitedMilliseconds = waitedMilliseconds
        self.computedMicroseconds = computedMicroseconds
    }
}
