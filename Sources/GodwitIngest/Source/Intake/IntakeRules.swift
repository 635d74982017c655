// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What the intake lets in, and how long what it puts off waits.
public struct IntakeRules: Sendable {
    /// A place that is written to by ourselves: what appears there is no input.
    public struct Output: Sendable, Hashable {
        /// The bucket or directory, as announcements name it; nil is any.
        public var bucket: String?
        public var prefix: String

        public init(bucket: String? = nil, prefix: String) {
            self.bucket = bucket
            self.prefix = prefix
        }
    }

    public var outputs: [Output]
    /// Larger objects are refused.
    public var maxBytes: UInt64
    /// The first wait of what failed by the way; doubled with every receive, up to ``slow``.
    public var retry: Duration
    /// The wait of what an operator must mend.
    public var slow: Duration

    public init(
        outputs: [Output] = [], maxBytes: UInt64 = 4 << 30, retry: Duration = .seconds(5),
        slow: Duration = .seconds(300)
    ) {
        self.outputs = outputs
        self.maxBytes = maxBytes
        self.retry = retry
        self.slow = slow
    }
}

/// What becomes of one record of a message.
package enum RecordVerdict: Sendable, Hashable {
    case handedOn
    /// Nothing to do for us, and the reason.
    case dropped(String)
    case later(after: Duration, reason: String)
    case dead(String)
}

extension IntakeRules {
    /// What can be said without a look at the store; nil: look.
    package func verdict(on event: ObjectEvent) -> RecordVerdict? {
        if event.key.hasSuffix("/") { return .dropped("'\(shown(event.key))' is a folder") }
        let isOurs = outputs.contains { output in
            (output.bucket == nil || output.bucket == event.bucket)
                && event.key.utf8.starts(with: output.prefix.utf8)
        }
        if isOurs { return .dropped("'\(shown(event.key))' is a result of ours") }
        return nil
    }

    /// What the store's answer says: the track to hand on, or why there is none. What the announcement
    /// said of size and etag does not count; it may be old.
    package func track(
        of event: ObjectEvent, in bucket: String, _ answer: Result<ObjectInfo?, StoreError>,
        receiveCount: Int
    ) -> Result<Track, Refusal> {
        switch answer {
        case .success(nil), .failure(.gone):
            return .refused(.dropped("'\(shown(event.key))' is gone: deleted or renamed meanwhile"))
        case .success(.some(let info)):
            guard info.size <= maxBytes else {
                return .refused(
                    .dead(
                        """
                        '\(shown(event.key))' has \(info.size) bytes, \(maxBytes) are allowed: cut it, or \
                        raise the limit and redrive
                        """))
            }
            return .success(
                Track(
                    bucket: bucket, key: event.key, versionID: info.versionID, etag: info.etag,
                    size: info.size))
        case .failure(.config(let text)):
            return .refused(.later(after: slow, reason: text))
        case .failure(.unavailable(let text)), .failure(.changed(let text)):
            return .refused(.later(after: wait(receiveCount), reason: text))
        case .failure(.invalid(let text)):
            return .refused(.dead(text))
        }
    }

    /// Carries a verdict where an error is wanted.
    package struct Refusal: Error, Hashable {
        package var verdict: RecordVerdict
    }

    /// Twice as long with every time it came, up to ``slow``.
    package func wait(_ receiveCount: Int) -> Duration {
        min(slow, retry * (1 << max(0, min(receiveCount - 1, 16))))
    }

    /// What becomes of the message: all records must have their end before it has. Those that failed
    /// go on alone; what was handed on is not announced twice.
    package func verdict(
        on records: [(record: Announcement.Record, verdict: RecordVerdict)]
    ) -> SourceVerdict {
        var waits: [(after: Duration, reason: String)] = []
        var deaths: [String] = []
        var rest: [Announcement.Record] = []
        for (record, verdict) in records {
            switch verdict {
            case .handedOn, .dropped: continue
            case .later(let after, let reason): waits.append((after, reason))
            case .dead(let reason): deaths.append(reason)
            }
            rest.append(record)
        }
        if let wait = waits.max(by: { $0.after < $1.after }) {
            if rest.count == records.count {
                return .later(after: wait.after, reason: wait.reason)
            }
            return .replace(
                body: Announcement.body(of: rest), after: wait.after,
                reason: "\(rest.count) of \(records.count) records are left: \(wait.reason)")
        }
        guard let first = deaths.first else { return .done }
        // Why the whole message: those that were handed on are recognised when it is redriven.
        return .dead(
            reason: records.count == 1
                ? first : "\(deaths.count) of \(records.count) records, the first: \(first)")
    }

    private func shown(_ key: String) -> String { key.cut(to: 200).escapedForDisplay }
}

extension Result where Failure == IntakeRules.Refusal {
    static func refused(_ verdict: RecordVerdict) -> Self { .failure(.init(verdict: verdict)) }
}
