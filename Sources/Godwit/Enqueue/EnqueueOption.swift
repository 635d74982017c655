// SPDX-License-Identifier: Apache-2.0

/// How one enqueue differs from the defaults of its job.
public struct EnqueueOption: Sendable {
    let apply: @Sendable (inout EnqueueOptions) -> Void

    /// Starts no earlier than `delay` from now, on the store's clock (I8).
    public static func delayed(by delay: Duration) -> EnqueueOption {
        EnqueueOption { $0.due = .after(delay) }
    }

    /// Starts no earlier than a moment, on the store's clock (I8); one that has passed is now.
    public static func at(_ moment: Timestamp) -> EnqueueOption {
        EnqueueOption { $0.due = .at(moment) }
    }

    /// 0 is served first, 7 last, 3 is the default.
    public static func priority(_ priority: Priority) -> EnqueueOption {
        EnqueueOption { $0.priority = priority }
    }

    /// At most one live message of the queue has this key; the loser gets the winner's id (I9).
    /// Up to 1,024 bytes.
    public static func unique(by key: String) -> EnqueueOption {
        EnqueueOption { $0.uniqueKey = key }
    }

    /// Text that travels with the message: trace context, a tenant, a cause.
    public static func headers(_ headers: [String: String]) -> EnqueueOption {
        EnqueueOption { $0.headers.merge(headers) { $1 } }
    }

    /// Names the message by yourself. The same id again is recognised and adds nothing (I12):
    /// this is how to repeat an enqueue whose answer was lost.
    public static func id(_ id: MessageID) -> EnqueueOption {
        EnqueueOption { $0.id = id }
    }

    /// Overrides how many reported failures end in the dead letters; nil is without end.
    public static func maxAttempts(_ count: Int?) -> EnqueueOption {
        EnqueueOption {
            $0.maxAttempts = RetryPolicy.exponential(maxAttempts: count).storedMaxAttempts
        }
    }
}

/// The options of one enqueue, put together.
struct EnqueueOptions {
    var due = NewMessage.Due.now
    var priority: Priority
    var uniqueKey: String?
    var headers: [String: String] = [:]
    var id: MessageID?
    var maxAttempts: UInt8

    init(_ defaults: JobDefaults, _ options: [EnqueueOption]) {
        priority = defaults.priority
        maxAttempts = defaults.retry.storedMaxAttempts
        for option in options { option.apply(&self) }
    }
}
