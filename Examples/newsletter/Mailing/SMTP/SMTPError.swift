// SPDX-License-Identifier: Apache-2.0

/// Why a conversation with a server can't go on. What concerns one recipient is an ``Outcome`` instead.
///
/// Try again later with a new connection: the mail whose content was on its way may have arrived.
package enum SMTPError: Error, Sendable, Hashable {
    /// Nobody answers there.
    case unreachable(String)
    /// The server wants no mail now, or not from us.
    case refused(SMTPReply, to: String)
    /// The connection ended before the reply came.
    case cut(String)
    /// No reply within the time allowed.
    case silent(String)
    /// What came is no SMTP.
    case garbled(String)
}

extension SMTPError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let text):
            "\(text). Is the server running, and is this its address and port?"
        case .refused(let reply, let word): "the server refused \(word): \(reply)"
        case .cut(let text): "the connection was cut: \(text)"
        case .silent(let text): "the server said nothing: \(text)"
        case .garbled(let text): "the server does not speak SMTP: \(text)"
        }
    }
}

/// What became of one mail.
package enum Outcome: Sendable, Hashable {
    /// The server has it.
    case accepted
    /// A 4xx: later it may be taken.
    case deferred(SMTPReply)
    /// A 5xx: it will never be.
    case rejected(SMTPReply)
}
