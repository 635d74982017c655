// SPDX-License-Identifier: Apache-2.0
public import Godwit
public import GodwitMonitor

/// Tells a backend that a track is finished, by a signed webhook: the last stage, with a queue of its own,
/// so that an endpoint that is dead holds nothing else up.
///
/// POST of `{"id", "type": "track.finished", "time", "track", "result"}` with the header
/// ``GodwitMonitor/WebhookSignature``, which is made anew for each attempt; the id stays, so that a
/// receiver can drop what it has. Of 2xx it is done; 408, 425, 429 and 5xx, no answer within five seconds
/// and no address are tried again, not before `Retry-After`; everything else goes to the dead letters.
/// - Repeated: the backend is told again, under the same id.
public struct Notifier: Sendable {
    private let url: WebhookURL
    private let secrets: [WebhookSecret]
    private let webhook: Webhook
    private let time: any TimeSource

    /// `secrets`: the one in use, and while it is being changed the other one.
    public init(
        _ url: WebhookURL, secrets: [WebhookSecret], hosts: DialGuard = DialGuard(),
        time: any TimeSource = SystemTime()
    ) {
        self.init(url, secrets: secrets, Webhook(hosts), time: time)
    }

    package init(
        _ url: WebhookURL, secrets: [WebhookSecret], _ webhook: Webhook,
        time: any TimeSource = SystemTime()
    ) {
        self.url = url
        self.secrets = secrets
        self.webhook = webhook
        self.time = time
    }

    /// What is posted.
    struct Body: Codable {
        var id: String
        var type: String
        /// Seconds since 1970, of this attempt.
        var time: Int64
        var track: Track
        /// The key of the result document in the output store.
        var result: String
    }

    public func notify(_ track: Track, _ work: Workspace) async throws {
        let result = Publication.resultKey(of: track, work)
        let now = time.now()
        let body = try StableJSON.line(
            of: Body(
                id: String(Digest.hex(of: result).prefix(32)), type: "track.finished",
                time: now.milliseconds / 1000, track: track, result: result))
        guard let signature = WebhookSignature.value(of: body, at: now, secrets: secrets) else {
            throw TaskFailure.config(
                "the webhook has no secret: set \(Settings.variable("webhook.secret"))")
        }
        let outcome = await webhook.post(
            body, to: url, headers: [(WebhookSignature.header, signature)], turn: work.attempt)
        switch outcome {
        case .delivered: return
        case .later(let reason, let after):
            try Task.checkCancellation()
            guard let after else { throw TaskFailure.retry(reason) }
            // Why jitter on top: everybody was told the same moment.
            let most = max(1000, after.milliseconds / 4)
            throw Verdict.retry(
                after: after + .milliseconds(Int64.random(in: 0..<most)), reason: reason)
        case .refused(let reason): throw Verdict.reject("webhook-refused: \(reason)")
        }
    }
}
