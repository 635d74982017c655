// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
import Synchronization

/// Turns announcements into tracks in the first stage's queue.
///
/// For each record it asks the store what is there now, and hands on that: bucket, key, version or etag
/// make the id, so that the same object announced twice is one track while the record of the first is
/// kept (10 min). A message is done only after the queue has every track of it (I12): a crash between
/// the two repeats the message, never loses it.
public final class Intake: Sendable {
    private let queue: Queue
    private let rules: IntakeRules
    private let home: String
    private let store: @Sendable (String) -> (any ObjectStore)?
    private let sequencers = Mutex(SequencerBook())

    /// `store` gives the store of a bucket as announcements name it; nil when it is none of ours. `home`
    /// is the bucket of announcements that name none.
    public init(
        into queue: Queue, rules: IntakeRules = IntakeRules(), home: String,
        store: @escaping @Sendable (String) -> (any ObjectStore)?
    ) {
        self.queue = queue
        self.rules = rules
        self.home = home
        self.store = store
    }

    /// The id of a track: what it is about and nothing else.
    package static func id(of track: Track) -> MessageID {
        let content = track.versionID.map { ["version", $0] } ?? ["etag", track.etag]
        return MessageID(hashOf: ["track", track.bucket, track.key] + content)
    }

    /// What becomes of a message; never throws, and does nothing twice that was done.
    public func handle(_ message: SourceMessage) async -> SourceVerdict {
        let announcement = Announcement(message.body)
        var verdicts: [(Announcement.Record, RecordVerdict)] = []
        for record in announcement.records {
            let verdict: RecordVerdict
            switch record.meaning {
            case .ignored(let reason): verdict = .dropped(reason)
            case .unreadable(let reason): verdict = .dead("undecodable: \(reason)")
            // Why a cancelled one stops asking: its message is somebody else's, or is given back.
            case .appeared where Task.isCancelled:
                verdict = .later(after: .zero, reason: "the intake was stopped")
            case .appeared(let event): verdict = await handOn(event, message.receiveCount)
            }
            if case .dropped(let reason) = verdict {
                Logger.current.info("a record of message \(message.id) is dropped: \(reason)")
            }
            verdicts.append((record, verdict))
        }
        return rules.verdict(on: verdicts)
    }

    private func handOn(_ event: ObjectEvent, _ receiveCount: Int) async -> RecordVerdict {
        var event = event
        event.bucket = event.bucket ?? home
        if let verdict = rules.verdict(on: event) { return verdict }
        if sequencers.withLock({ $0.isStale(event) }) {
            return .dropped("a later event of the same key was handed on before")
        }
        let bucket = event.bucket ?? home
        guard let store = store(bucket) else {
            return .dead(
                """
                the bucket '\(bucket.cut(to: 100).escapedForDisplay)' is none of those that are read: \
                correct the settings, or what announces to this queue
                """)
        }
        let answer: Result<ObjectInfo?, StoreError>
        do throws(StoreError) {
            answer = .success(try await store.head(event.key))
        } catch {
            answer = .failure(error)
        }
        switch rules.track(of: event, in: bucket, answer, receiveCount: receiveCount) {
        case .failure(let refusal): return refusal.verdict
        case .success(let track):
            do throws(EnqueueError) {
                try await queue.enqueue(track, named: Self.id(of: track))
            } catch {
                return verdict(on: error, receiveCount)
            }
            sequencers.withLock { $0.note(event) }
            return .handedOn
        }
    }

    private func verdict(on error: EnqueueError, _ receiveCount: Int) -> RecordVerdict {
        switch error {
        case .invalidName, .notEncodable, .tooLarge: .dead("\(error)")
        case .full, .recordGone: .later(after: rules.wait(receiveCount), reason: "\(error)")
        case .broker(let failure, _) where failure.isPassing:
            .later(after: rules.wait(receiveCount), reason: "\(error)")
        case .broker: .later(after: rules.slow, reason: "\(error)")
        }
    }
}
