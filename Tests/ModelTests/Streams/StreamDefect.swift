// SPDX-License-Identifier: Apache-2.0

/// What a ``StreamDoor`` does wrong: one thing, which the model must see.
enum StreamDefect: String, Sendable, CaseIterable {
    /// A commit with a stale token is done with the token of whatever lease the key has now.
    case noTokenCheck
    /// The window is cut by one too many.
    case windowTooShort
    /// Emissions go out although the commit was stale.
    case emissionWithoutCommit
    /// A commit loses its messages.
    case emissionLost
    /// A failed point is released: no attempt is counted.
    case attemptForgotten
    /// A blocked key goes on as if its point had passed.
    case blockIgnored
    /// The state of a commit is lost.
    case stateLost
    /// A renewal is answered and not done.
    case renewalLost
    /// The second lane of an answer is handed out before the first.
    case orderSwapped
    /// A late point is answered as one that came in time.
    case lateUnmarked
    /// A duplicate is appended again under another id.
    case duplicateAppended
    /// A reclaim takes one lease more than it says.
    case reclaimUncounted
    /// Every reserve may take a suspect along.
    case suspectInCompany
    /// A replay brings back one point less.
    case replayTooShort
    /// A dropped key keeps its points.
    case forgetLost
}
