// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Foundation
package import Godwit

/// The mails of one batch: a range of the subscribers, so that no message carries a thousand addresses.
package struct SendBatch: Job {
    package static let name = "newsletter.send"
    package static var defaults: JobDefaults {
        JobDefaults(
            retry: .exponential(maxAttempts: 8, base: .milliseconds(500), cap: .seconds(300)),
            timeout: .seconds(1800))
    }

    package let issue: String
    package let batch: Int
    /// The range of subscribers, by number.
    package let first: Int
    package let count: Int
    /// Addresses in place of a range; nobody has looked at them yet.
    package let added: [String]?

    package init(issue: String, batch: Int, first: Int, count: Int, added: [String]?) {
        self.issue = issue
        self.batch = batch
        self.first = first
        self.count = count
        self.added = added
    }

    /// What people call it, and the job's part of every Message-ID.
    package var title: String { "\(issue)/\(batch)" }

    package static let from = "newsletter@example.com"

    /// The subscriber of a number. A real mailing would read a page of a table here.
    package static func subscriber(_ number: Int) -> String {
        "reader-\(number)@mail\(number % 7).example.org"
    }

    /// All addresses of the batch, checked before the first mail goes out.
    ///
    /// Throws ``Godwit/Verdict/reject(_:)`` naming the first that is none: another try would not help, and half
    /// a batch in the dead letters is harder to mend than a whole one.
    package func recipients() throws -> [MailAddress] {
        let texts = added ?? (first..<first + count).map(Self.subscriber)
        return try texts.enumerated().map { position, text in
            do throws(InvalidAddress) {
                return try MailAddress(text)
            } catch {
                throw Verdict.reject(
                    "recipient \(position + 1) of \(texts.count) in batch \(title): \(error)")
            }
        }
    }

    /// hash(job, recipient): the same mail has the same id in every run, so that the sink tells a repeat.
    package func messageID(to recipient: MailAddress) -> String {
        let digest = SHA256.hash(data: Data("\(title)\0\(recipient)".utf8))
        return Hex.string([UInt8](digest.prefix(20))) + "@example.com"
    }

    package func letter(to recipient: MailAddress, at date: Date) throws -> Letter {
        let id = messageID(to: recipient)
        return try Letter(
            from: try MailAddress(Self.from), to: recipient, id: id, date: date,
            subject: "Newsletter \(issue): the godwit flies 11,000 km",
            unsubscribe: "https://example.com/unsubscribe/\(id.prefix(40))",
            text: """
                Dear reader,

                this autumn a bar-tailed godwit flew from Alaska to Tasmania without a stop.
                It did not lose its way, and it did not arrive twice.

                You get this because you subscribed. To end it, follow the link in
                List-Unsubscribe.
                """)
    }
}
