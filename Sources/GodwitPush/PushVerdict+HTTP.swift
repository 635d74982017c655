// SPDX-License-Identifier: Apache-2.0
package import Godwit
import GodwitMonitor

extension PushVerdict {
    /// What an HTTP answer becomes (RFC 9110 §15).
    ///
    ///     status                         message            service
    ///     2xx                            ack                answering
    ///     400 402 406 410–417 422 424    reject             answering
    ///     426 428 431 451, other 4xx     reject             answering
    ///     409 423 425 500                retry              answering
    ///     408 421 429 502 503 504        retry              failing
    ///     other 5xx, 600 and above       retry              failing
    ///     3xx                            retry              failing: never followed, the URL is wrong
    ///     401 403 407                    retry              failing: it does not let us in
    ///     404 405 501                    retry              failing: the URL is wrong
    ///
    /// A retry comes after `Retry-After` (seconds or a date, 1 second to 1 hour), else by policy.
    /// Why 404 and 405 do not reject: every message goes to the one URL, so they speak of it, and a
    /// slip in it must not send a whole queue to the dead letters. A service that knows a message to
    /// be without hope says 400, 410 or 422.
    package init(status: Int, retryAfter: String?, body: [UInt8], at now: Timestamp) {
        let words = Self.shown(String(decoding: body.prefix(Self.wordBytes), as: UTF8.self))
        func reason(_ advice: String = "") -> String {
            "the service answered \(status)\(advice)" + (words.isEmpty ? "" : ": \(words)")
        }
        let after = retryAfter.flatMap { Webhook.delay($0, at: now) }
        func retry(_ finding: Finding, _ advice: String = "") -> PushVerdict {
            PushVerdict(.retry(after: after, reason: reason(advice)), finding)
        }
        switch status {
        case 200..<300: self.init(.ack)
        case 300..<400: self = retry(.failing, ", a redirect, which is not followed")
        case 401, 403, 407: self = retry(.failing, ", which does not let this worker in")
        case 404, 405, 501: self = retry(.failing, ", as for a wrong URL")
        case 408, 421, 429: self = retry(.failing)
        case 409, 423, 425, 500: self = retry(.answering)
        case 400..<500: self.init(.reject(reason()))
        default: self = retry(.failing)
        }
    }
}
