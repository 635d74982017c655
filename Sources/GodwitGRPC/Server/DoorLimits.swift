// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What a door holds its clients to, so that each costs bounded memory (I10).
public struct DoorLimits: Sendable, Hashable {
    /// Calls and streams of one connection at once.
    public var streamsPerConnection: Int = 100
    public var connections: Int = 1000
    /// The most messages that one Work stream may hold unsettled, whatever credits it gives.
    public var credits: Int = 1000
    /// A connection without a call ends after this time.
    public var idle: Duration = .seconds(300)
    /// A connection on which nothing comes, not even an answer to a ping, ends after this time, and after
    /// twice of it at the latest.
    public var silence: Duration = .seconds(80)
    /// How long calls may go on when the server ends.
    public var grace: Duration = .seconds(10)

    public init() {}

    func check(entries: Int, of what: @autoclosure () -> String) throws {
        guard entries > WireLimits.entries else { return }
        throw WireError(
            what(), "it has \(entries) entries",
            "Send at most \(WireLimits.entries) in one call."
        ).brokerError.rpcError
    }
}
