// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// What the answer of a service becomes: a move of the message, and a finding about the service.
///
/// Both tables, of HTTP statuses and of gRPC codes, make only such values: the same answer is always
/// judged alike. The rule behind them: an attempt is used whenever the service may have begun to work
/// the message, and never when it can't have.
package struct PushVerdict: Sendable, Hashable {
    package enum Move: Sendable, Hashable {
        case ack
        /// `after` is what the service asked for; nil leaves it to the worker's policy.
        case retry(after: Duration?, reason: String)
        case reject(String)
        case release
        case forward(to: QueueName)
        /// Nothing of the message left this process: it waits in hand, leased, until the service can be
        /// reached, and no attempt is used.
        case hold(String)
    }

    /// What it says of the service, whatever became of the message.
    package enum Finding: Sendable, Hashable {
        /// It is there and decides on messages.
        case answering
        /// It is away, overloaded, or set up wrongly: the next message would fare the same.
        case failing
    }

    package var move: Move
    package var finding: Finding

    package init(_ move: Move, _ finding: Finding = .answering) {
        self.move = move
        self.finding = finding
    }

    /// How long the service asked not to be called.
    package var pause: Duration? {
        if case .retry(let after, _) = move { after } else { nil }
    }

    /// Why it was no ack.
    package var reason: String {
        switch move {
        case .ack: "ack"
        case .retry(_, let reason), .reject(let reason), .hold(let reason): reason
        case .release: "release"
        case .forward(let queue): "forward to \(queue)"
        }
    }

    /// The most bytes of a service's own words in a reason.
    package static let wordBytes = 512

    /// Text of a service as it may stand in a record, a log line and a terminal.
    package static func shown(_ text: String) -> String {
        text.cut(to: wordBytes).escapedForDisplay.cut(to: 2 * wordBytes)
    }
}
