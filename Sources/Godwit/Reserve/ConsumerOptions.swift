// SPDX-License-Identifier: Apache-2.0

/// How a consumer takes and holds messages.
public struct ConsumerOptions: Sendable {
    /// How long a message is the consumer's before it must renew, which it does by itself.
    public var lease: Duration = .seconds(30)
    /// The most messages leased ahead, as far as they are 50 ms of work; 0 asks the store each time.
    public var prefetch: Int = 32
    /// What becomes of a delivery that is dropped without having been settled: by this or by the
    /// message's own maximum of attempts, whichever is smaller.
    public var retry: RetryPolicy = .exponential(maxAttempts: nil)
    /// How long one delivery may stay unsettled; then its lease is renewed no more.
    public var maxRun: Duration = .seconds(3600)

    public init() {}
}
