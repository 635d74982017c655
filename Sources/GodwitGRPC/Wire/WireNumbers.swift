// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

/// What a call may carry; a client splits what is more (I10).
package enum WireLimits {
    /// The most bytes of a call. gRPC's own default, which every client library knows.
    package static let requestBytes = 4 << 20
    /// What our client puts into one call at most.
    package static let sentBytes = 1 << 20
    /// The most bytes of bodies in one answer.
    package static let answeredBytes = 3 << 20
    /// The most entries of a call.
    package static let entries = 10_000
    package static let reserve = 1000
    /// The most records of one page.
    package static let page = 1000
    /// A page is read from the store in parts of so many records. Why: a record without its body has up
    /// to 30 KB of attempts, reasons and progress, so a part is under 3 MB.
    package static let pagePart = 100
    /// The same for entries of an event log, each of them up to 256 events of 300 bytes.
    package static let eventsPart = 32
    /// A page that has so many bytes is given another part no more.
    package static let pageBytes = 1 << 20
    /// The longest that a call waits.
    package static let wait = Duration.seconds(60)
    package static let kinds = 1000
    package static let headers = 64
    package static let headerBytes = 16 << 10
    package static let defaultLease = Duration.seconds(30)
}

/// Something that a client sent and nobody can mean.
package struct WireError: Error {
    package var problem: BrokerError.Problem

    package init(_ what: String, _ cause: String, _ advice: String) {
        problem = BrokerError.Problem(
            what: what, location: "the gRPC door", cause: cause, advice: advice)
    }

    package var brokerError: BrokerError { .invalid(problem) }
}

extension QueueName {
    package init(wire text: String) throws(WireError) {
        do {
            try self.init(text)
        } catch {
            throw WireError(
                "read a queue's name", "\(error)", "Name the queue in the field `queue`.")
        }
    }
}

extension Kind {
    package init(wire text: String) throws(WireError) {
        do {
            try self.init(text)
        } catch {
            throw WireError("read a kind", "\(error)", "Name the kind in the field `kind`.")
        }
    }
}

extension MessageID {
    package init(wire bytes: Data) throws(WireError) {
        guard let id = bytes.withUnsafeBytes({ MessageID(bytes: $0) }) else {
            throw WireError(
                "read a message's id", "it has \(bytes.count) bytes",
                "Send the 16 bytes of a UUID of version 7.")
        }
        self = id
    }

    package var wire: Data { Data(bytes) }
}

extension LeaseToken {
    /// Nil for what no store gave: it is answered `stale`, like every token that is not good.
    package init?(wire bytes: Data) {
        guard let token = bytes.withUnsafeBytes({ LeaseToken(bytes: $0) }) else { return nil }
        self = token
    }

    package var wire: Data { withUnsafeBytes { Data($0) } }
}

extension Duration {
    /// Moments and lengths travel as whole milliseconds.
    package var wire: Int64 { milliseconds }

    package init(wire milliseconds: Int64) { self = .milliseconds(milliseconds) }

    /// A lease as long as a client may ask for: one that never ended would lose its message.
    package var boundedLease: Duration { min(self, WireLimits.longestLease) }

    /// A lease: 0 is the default.
    package init(wireLease milliseconds: Int64) {
        self = milliseconds == 0 ? WireLimits.defaultLease : .milliseconds(milliseconds)
    }
}

extension Timestamp {
    package var wire: Int64 { milliseconds }

    package init(wire milliseconds: Int64) { self.init(milliseconds: milliseconds) }
}

extension Data {
    package init(wire bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { Data($0) }
    }

    package var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

extension Int {
    /// What does not fit is the most.
    package init(wire count: UInt64) { self.init(clamping: count) }
}
