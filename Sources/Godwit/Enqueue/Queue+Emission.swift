// SPDX-License-Identifier: Apache-2.0

extension Queue {
    /// The message that an enqueue of this job would make, under an id that its maker chose: for
    /// those who hand it to a store together with something else.
    ///
    /// The id's own time says nothing of when it was sent, so it goes as a first send: a known one
    /// adds nothing, and no horizon is asked (I12).
    package func message<J: Job>(
        for job: J, id: MessageID, _ options: [EnqueueOption]
    ) throws(EnqueueError) -> NewMessage {
        var message = try message(for: job, EnqueueOptions(J.defaults, options))
        message.id = id
        message.isResend = false
        return message
    }

    /// Accepts one job under an id that its maker chose, one without a time in it (a hash).
    ///
    /// Repeated: a known id adds nothing, for as long as its record is kept; after that it is a new
    /// message, unlike with ``EnqueueOption/id(_:)``.
    @discardableResult
    package func enqueue<J: Job>(
        _ job: J, named id: MessageID, _ options: EnqueueOption...
    ) async throws(EnqueueError) -> Enqueued {
        try await accept([try message(for: job, id: id, options)])[0]
    }
}
