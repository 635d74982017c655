// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Why SQS did not do what was asked, by what the caller does next. The text says what was asked of
/// which queue, what was answered, and what to look at.
public enum SQSError: Error, Sendable, Hashable {
    /// The receipt is worth nothing any more: the message may be with somebody else. Stop.
    case receiptLost(String)
    /// No such queue, not allowed, no credentials: an operator must act.
    case config(String)
    /// It may work later: no answer, 5xx, too many requests.
    case unavailable(String)
    /// It never will: too large, characters that SQS has no place for, a request it refuses.
    case invalid(String)
    /// What came back is not what was sent, or is no answer.
    case corrupt(String)
}

extension SQSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .receiptLost(let text), .config(let text), .unavailable(let text),
            .invalid(let text), .corrupt(let text):
            text
        }
    }

    /// Trying again may help.
    public var isPassing: Bool {
        switch self {
        case .unavailable, .corrupt: true
        case .receiptLost, .config, .invalid: false
        }
    }
}

extension SQSError {
    private struct Body: Decodable {
        var __type: String?
        var message: String?
        var Message: String?
    }

    /// Reads an answer that is an error. The code stands in the header, or in the body as a type.
    init(_ reply: SQSReply, _ what: String) {
        let body = try? JSONDecoder().decode(Body.self, from: Data(reply.body))
        let query = reply.queryError?.split(separator: ";", omittingEmptySubsequences: false)
        let type = body?.__type.map { $0.split(separator: "#").last.map(String.init) ?? $0 }
        let code = Self.shown(query?.first.map(String.init) ?? type ?? "none")
        let text = Self.shown(body?.message ?? body?.Message ?? "")
        self.init(
            code: code, status: reply.status,
            """
            \(what): SQS answered \(reply.status), code '\(code)'\(text.isEmpty ? "" : ": \(text)")
            """)
    }

    /// Sorts a code of the API reference (with and without the older `AWS.SimpleQueueService.`).
    init(code: String, status: Int, _ text: String) {
        let prefix = "AWS.SimpleQueueService."
        switch code.hasPrefix(prefix) ? String(code.dropFirst(prefix.count)) : code {
        case "MessageNotInflight", "ReceiptHandleIsInvalid":
            self = .receiptLost("\(text). Its time ran out: another receiver may have the message.")
        case "InvalidParameterValue"
        where text.contains("ReceiptHandle") || text.contains("receipt handle"):
            // Why: so SQS calls a receipt whose time ran out when the message is gone.
            self = .receiptLost("\(text). Its time ran out, or the message is deleted already.")
        case "NonExistentQueue", "QueueDoesNotExist", "QueueDeletedRecently", "InvalidAddress":
            self = .config("\(text). Check the queue's name, the account and the region.")
        case "AccessDenied", "AccessDeniedException", "InvalidClientTokenId",
            "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
            "ExpiredToken", "ExpiredTokenException", "MissingAuthenticationToken",
            "MissingAuthenticationTokenException", "IncompleteSignature", "NotAuthorized",
            "OptInRequired", "InvalidAccessKeyId", "InvalidSecurity", "UnsupportedOperation":
            self = .config("\(text). Check the credentials and the policies of queue and user.")
        case "RequestThrottled", "Throttling", "ThrottlingException", "OverLimit",
            "TooManyRequestsException", "KmsThrottled", "RequestTimeTooSkewed":
            self = .unavailable("\(text). Ask more slowly; it is tried again.")
        default:
            self =
                switch status {
                case 429, 500...: .unavailable("\(text). It is tried again.")
                case 401, 403: .config("\(text). Check the credentials and the policies.")
                case 400..<500: .invalid(text)
                default: .corrupt("\(text). Is this the address of an SQS?")
                }
        }
    }

    static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(300).filter {
                    $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)
                        && !(0x2028...0x202E).contains($0.value)
                        && !(0x2066...0x2069).contains($0.value)
                }))
    }
}
