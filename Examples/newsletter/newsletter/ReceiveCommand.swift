// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitMonitor
import Mailing
import UnixSignals

struct ReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "A receiver of signed webhooks: prints each call it believes.",
        discussion: """
            Says its port as JSON, then one line for each call, until SIGTERM or Ctrl-C. The secret \
            comes from the environment, NEWSLETTER_WEBHOOK_SECRET, or from a file.
            """)

    static let variable = "NEWSLETTER_WEBHOOK_SECRET"

    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Port; 0 takes a free one.") var port = 8025
    @Option(help: "File that holds the secret.") var secretFile: String?

    private struct Listening: Encodable { let host: String, port: Int }

    /// A call as it is printed.
    struct Line: Encodable {
        let at: Date
        let isBelieved: Bool
        let refusal: String?
        /// As it came, control bytes escaped.
        let body: String

        init(_ call: ReceivedCall) {
            at = call.at
            isBelieved = call.refusal == nil
            refusal = call.refusal?.rawValue
            body = String(decoding: call.body, as: UTF8.self).escapedForDisplay
        }
    }

    func run() async throws {
        let receiver = try await Receiver.start(host: host, port: port, secret: try secret()) {
            try? Post.print(Line($0))
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try Post.print(Listening(host: host, port: receiver.port))
        for await _ in signals { break }
        await receiver.stop()
    }

    private func secret() throws -> String {
        if let secretFile {
            let text = try String(contentsOfFile: secretFile, encoding: .utf8)
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        if let text = ProcessInfo.processInfo.environment[Self.variable], !text.isEmpty {
            return text
        }
        throw Wrong("no secret is named. Set \(Self.variable) or give --secret-file.")
    }
}
