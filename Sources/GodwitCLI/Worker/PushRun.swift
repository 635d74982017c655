// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitPush
import Synchronization

/// Brings a message to a service and counts what came of it.
final class PushRun: WorkRun {
    let push: Push
    private let acked = Atomic(0)
    private let failed = Atomic(0)
    private let rejected = Atomic(0)
    private let cancelled = Atomic(0)

    init(_ push: Push) { self.push = push }

    var summary: Work.Summary {
        Work.Summary(
            acked: acked.load(ordering: .relaxed), failed: failed.load(ordering: .relaxed),
            rejected: rejected.load(ordering: .relaxed),
            cancelled: cancelled.load(ordering: .relaxed))
    }

    func callAsFunction(_ message: Message, _ context: JobContext) async throws {
        do {
            try await push(message, context)
            acked.add(1, ordering: .relaxed)
        } catch {
            switch error as? Verdict {
            case .ack, .forward: acked.add(1, ordering: .relaxed)
            case .reject: rejected.add(1, ordering: .relaxed)
            case .release: cancelled.add(1, ordering: .relaxed)
            case .retry: failed.add(1, ordering: .relaxed)
            case nil where error is CancellationError: cancelled.add(1, ordering: .relaxed)
            case nil: failed.add(1, ordering: .relaxed)
            }
            throw error
        }
    }

    /// Calls end with their tasks.
    func killAll() {}
}

/// The variables with what no command line may hold.
enum PushSecrets {
    static let variable = "GODWIT_PUSH_SECRET"
    /// The one before it, while receivers change over.
    static let previous = "GODWIT_PUSH_SECRET_PREVIOUS"

    static func read(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> [WebhookSecret] {
        [variable, previous].compactMap { environment[$0] }.filter { !$0.isEmpty }
            .map { WebhookSecret($0) }
    }
}

extension Work {
    /// What the options name; nil with `--exec`.
    func target() throws -> PushTarget? {
        do throws(PushRefusal) {
            if let http {
                return try .http(
                    http, secrets: PushSecrets.read(), allowsPlaintext: allowsPlaintext)
            }
            if let grpc {
                return try .grpc(
                    grpc, isTLS || ca != nil ? .tls(authorities: ca) : .plaintext,
                    allowsPlaintext: allowsPlaintext)
            }
            return nil
        } catch {
            // Why without its text: it may hold a password.
            throw Failure(
                .usage,
                """
                \(http == nil ? "--grpc" : "--http"): \(error.reason). Nothing was done. \(advice)
                """)
        }
    }

    private var advice: String {
        http == nil
            ? """
            Give HOST:PORT; another machine is spoken to with --tls, or unencrypted with --plaintext.
            """
            : """
            Give https://HOST/PATH without a user, and put the secret that signs the calls into \
            \(PushSecrets.variable); a service on this machine needs neither, and --plaintext allows \
            http:// to another one.
            """
    }
}
