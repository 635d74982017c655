// SPDX-License-Identifier: Apache-2.0

/// Why a service did not do what was asked, by what the caller does next.
///
/// The text says what was asked of whom, what was answered, and what to look at. It holds no secret:
/// no header, no query, no key.
public struct AWSError: Error, Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// There is no such thing: object, bucket, queue.
        case missing
        /// A condition of the request did not hold (412): look again.
        case precondition
        /// Somebody else changes the same thing (409), and still after some tries.
        case conflict
        /// No credentials, or they do not allow it, or something is not set up: an operator must act.
        case denied
        /// It may work later: slow down, 5xx, network, deadline. It may have been done, too.
        case unavailable
        /// It never will: the request is wrong.
        case refused
        /// The answer is none: not the protocol, too long, a redirect to a stranger.
        case badAnswer
        /// The task was cancelled. The request may have been done.
        case cancelled
    }

    public var kind: Kind
    /// As the service names it: `NoSuchKey`, `QueueDoesNotExist`; empty when it did not.
    public var code: String
    /// 0 when there was no answer.
    public var status: Int
    public var text: String

    public init(_ kind: Kind, code: String = "", status: Int = 0, _ text: String) {
        self.kind = kind
        self.code = code
        self.status = status
        self.text = text
    }
}

extension AWSError: CustomStringConvertible {
    public var description: String { text }
}

/// Text of a stranger for a reader's screen: one line, no control characters, at most `most` letters.
package func shown(_ text: String, _ most: Int = 200) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
        if out.unicodeScalars.count >= most { return out + "…" }
        let isPlain =
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
                .unassigned:
                false
            default: true
            }
        out.unicodeScalars.append(isPlain ? scalar : "\u{fffd}")
    }
    return out
}
