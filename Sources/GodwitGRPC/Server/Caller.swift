// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GRPCCore

/// What a token may allow, by queue.
package enum Act: String, Sendable, Hashable, CaseIterable {
    case produce, work, inspect, operate
}

/// Who makes a call, and what that one may do. Every service asks it before anything else.
///
/// An interceptor sets it for the time of a call; a call without one may do nothing.
package struct Caller: Sendable {
    @TaskLocal package static var current: Caller?

    /// A queue of this name, or every queue for nil.
    package let may: @Sendable (Act, QueueName?) -> Bool
    /// What makes this client's lease tokens its own; nil where clients can't be told apart.
    package let mask: TokenMask?

    package init(mask: TokenMask? = nil, may: @escaping @Sendable (Act, QueueName?) -> Bool) {
        self.may = may
        self.mask = mask
    }

    /// May do everything: the only client of a door on loopback that was opened to all.
    package static let anybody = Caller { _, _ in true }

    /// One text for what is forbidden and for what is not there, so that nobody learns names by asking.
    package static let denial = RPCError(
        code: .permissionDenied, message: "there is no such thing here for this token")

    /// The caller of this call, if it may do this on the queue; else the denial.
    package static func allowed(_ act: Act, on queue: QueueName?) throws(RPCError) -> Caller {
        guard let current, current.may(act, queue) else { throw denial }
        return current
    }

    /// The name as it was sent, if the caller may do this there. A name that can't be one is refused with
    /// the denial too: else its error would tell who may act on what.
    package static func allowed(
        _ act: Act, on text: String
    ) throws(RPCError) -> (Caller, QueueName) {
        guard let current else { throw denial }
        guard let queue = try? QueueName(text) else {
            // Who may do so everywhere is told what is wrong.
            if current.may(act, nil) {
                do {
                    _ = try QueueName(wire: text)
                } catch {
                    throw error.brokerError.rpcError
                }
            }
            throw denial
        }
        guard current.may(act, queue) else { throw denial }
        return (current, queue)
    }
}
