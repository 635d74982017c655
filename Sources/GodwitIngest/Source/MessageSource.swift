// SPDX-License-Identifier: Apache-2.0

/// Where announcements of objects come from: SQS, our own queue, or a directory that is watched.
///
/// The same promise everywhere: a message that was received is held (extended from the moment of
/// receipt, the buffer included) until it is settled; one that is not settled comes again; one whose
/// settling can't be told to the source comes again, too, so what follows must bear repetition.
public protocol MessageSource: Sendable {
    /// How a reader names it: `sqs://queue`, `s3://bucket/prefix`, a directory.
    var name: String { get }

    /// Receives until cancelled, handing each message to `handle`, at most `concurrency` at once, and
    /// settles it by what `handle` answers. Cancelled, it takes nothing new, waits for what is handled,
    /// settles that, and gives back the rest where the source can take it back.
    func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws
}

/// One message as the source gave it.
public struct SourceMessage: Sendable, Hashable {
    public var id: String
    public var body: String
    /// How often it was received, this time included; 1 when the source does not say.
    public var receiveCount: Int

    public init(id: String, body: String, receiveCount: Int = 1) {
        self.id = id
        self.body = body
        self.receiveCount = receiveCount
    }
}

/// What becomes of a message.
public enum SourceVerdict: Sendable, Hashable {
    /// Handed on: it is deleted at the source.
    case done
    /// Not now: it comes again, not before `after`.
    case later(after: Duration, reason: String)
    /// Part of it was done: it is replaced by `body`, which holds only the rest, before it is deleted.
    case replace(body: String, after: Duration, reason: String)
    /// It will never work: to the dead letters of the source, with its bytes and the reason.
    case dead(reason: String)
}
