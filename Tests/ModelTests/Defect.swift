// SPDX-License-Identifier: Apache-2.0

/// What a ``MisbehavingBroker`` does wrong: one thing, which the model must see.
enum Defect: String, Sendable, CaseIterable {
    /// A stale token settles whatever lease its message has now.
    case noTokenCheck
    /// A batch is refused as a whole because one token in it is stale.
    case oneStaleFailsTheBatch
    /// An ack is answered before it is kept, and then lost.
    case ackLost
    /// A renewal is answered and not done.
    case renewalLost
    /// A checkpoint is answered and not kept.
    case checkpointLost
    /// Reclaim charges an attempt where only a lease was lost.
    case reclaimChargesAttempt
    /// The last message of a batch stays leased for ever when it is released.
    case releaseForgetsOne
    /// Released messages return to the head the wrong way round.
    case releaseReversed
    case retryForgetsAttempt
    case countNotRaised
    /// A dead letter keeps its unique key.
    case uniqueKeyLeakedOnDead
    /// A message that becomes due is dropped.
    case promoteLosesOne
    /// A delay is cut short.
    case startsEarly
    /// A forward that meets an older live copy takes it for itself and ends here.
    case forwardWithoutEpochGate
    /// A forward ends here although nothing arrived there.
    case forwardLost
    /// A known id is answered as if it had been enqueued.
    case resendAnsweredAsNew
    /// Kinds that were not asked for are handed out.
    case kindsIgnored
    /// Suspects go to a worker that has others in flight.
    case suspectInCompany
    /// A message with one attempt is handed out without a free slot.
    case oneAttemptPrefetched
    case byteBudgetIgnored
    case pauseIgnored
    /// The second message of a reserve is handed out before the first.
    case orderSwapped
    /// What was redriven comes back without its bytes.
    case redriveLosesBody
}
