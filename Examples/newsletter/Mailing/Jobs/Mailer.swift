// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Godwit

/// Sends batches: the handler of ``SendBatch``.
///
/// A mail is an outside effect, and so at least once: between the server's answer and the checkpoint a kill leaves
/// mails that the next run sends again, with the same Message-ID. At most ``every`` of them for each
/// run that was killed.
package struct Mailer: Sendable {
    package let host: String
    package let port: Int
    /// A checkpoint is written after so many mails, before the next one goes out.
    package let every: Int
    package var smtp = SMTPClient.Options()
    /// Where recipients go that the server will never take.
    package let report: RejectReport?
    /// Told after each mail the server has answered, before the checkpoint; for tests.
    package var afterMail: @Sendable (Int) async throws -> Void = { _ in }

    package init(host: String, port: Int, every: Int, report: RejectReport? = nil) {
        self.host = host
        self.port = port
        self.every = max(1, every)
        self.report = report
    }

    /// Sends what an earlier run has not.
    ///
    /// - Repeated: goes on behind the last checkpoint.
    /// - Throws: ``Godwit/Verdict/retry(after:reason:)`` by the job's policy when the server put recipients off: the next
    ///   run tries those alone. ``SMTPError`` when the conversation ended.
    package func send(_ batch: SendBatch, _ context: JobContext) async throws {
        let recipients = try batch.recipients()
        let progress = BatchProgress(reading: context.checkpoint, of: recipients.count)
        let left = try await SMTPClient.with(host: host, port: port, options: smtp) { client in
            var run = Run(mailer: self, batch: batch, context: context, progress: progress)
            do {
                try await run.send(recipients, by: client)
            } catch {
                // Why: what the server has answered need not be sent again. A lost lease writes nothing.
                try? await run.save()
                throw error
            }
            return run
        }
        if let reply = left.lastDeferral {
            throw Deferred(count: left.progress.deferred.count, reply: reply)
        }
    }

    /// One run of one batch.
    private struct Run: Sendable {
        let mailer: Mailer
        let batch: SendBatch
        let context: JobContext
        var progress: BatchProgress
        var unsaved = 0
        var lastDeferral: SMTPReply?

        mutating func send(_ recipients: [MailAddress], by client: SMTPClient) async throws {
            let date = Date()
            for position in progress.todo {
                // Why before each: whoever has the message now sends this mail.
                try Task.checkCancellation()
                guard !context.isLeaseLost else { throw CancellationError() }
                let recipient = recipients[position]
                let outcome = try await client.send(try batch.letter(to: recipient, at: date))
                switch outcome {
                case .accepted: break
                case .deferred(let reply): lastDeferral = reply
                case .rejected(let reply):
                    try mailer.report?.add(
                        id: batch.messageID(to: recipient), recipient: recipient, reply: reply)
                }
                progress.note(outcome, at: position)
                unsaved += 1
                try await mailer.afterMail(position)
                if unsaved >= mailer.every { try await save() }
                if progress.isFull { break }
            }
            try await save()
        }

        mutating func save() async throws {
            guard unsaved > 0 else { return }
            try await context.checkpoint(try progress.bytes)
            unsaved = 0
        }
    }
}

/// Some recipients were put off; the batch is tried again for those.
struct Deferred: Error, CustomStringConvertible {
    let count: Int
    let reply: SMTPReply

    var description: String {
        "the server put \(count) recipient(s) off, the last by: \(reply)"
    }
}
