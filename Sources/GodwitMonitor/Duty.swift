// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// Something that one process at a time should do, held by a note with a time to live.
///
/// Nothing depends on there being only one: two archivers send the same rows, and rows are told
/// apart by their key; two watches decide on the same alerts, whose ids are the same. The duty saves
/// the work. A process that dies is followed after the note's time.
package struct Duty: Sendable {
    let name: String
    let owner: [UInt8]
    /// How long the note of a process that died stands in the way.
    let time: Duration
    private var heldUntil: Timestamp?
    private var askAgainAt: Timestamp?

    package init(_ name: String, owner: String, time: Duration = .seconds(30)) {
        self.time = time
        self.name = name
        self.owner = Array(owner.utf8)
    }

    /// Takes or renews it now; false when another holds it.
    ///
    /// - Atomic: the write asks for the note as it was read, so of two that try at once one succeeds.
    /// - Repeated: renews it, also where the reply of the first call was lost.
    /// - Crash halfway: the note ends by itself, and the next one takes it.
    package func take(on board: any Board) async throws(BrokerError) -> Bool {
        guard let note = try await board.note(name, in: .duties) else {
            return try await board.write(owner, as: name, in: .duties, for: time, if: .absent)
        }
        guard note.bytes == owner else { return false }
        return try await board.write(
            owner, as: name, in: .duties, for: time, if: .version(note.version))
    }

    /// True while it is ours: takes or renews it when the time has come. Looks at the store at most
    /// every third of the note's time.
    package mutating func isHeld(on board: any Board, now: Timestamp) async throws(BrokerError)
        -> Bool
    {
        if let heldUntil, now < heldUntil { return true }
        if let askAgainAt, now < askAgainAt { return false }
        askAgainAt = now + time / 3
        heldUntil = nil
        guard try await take(on: board) else { return false }
        heldUntil = now + time / 3
        return true
    }

    /// Lets another process take it at once; nothing happens where it is not ours.
    package func leave(on board: any Board) async {
        guard let note = try? await board.note(name, in: .duties), note.bytes == owner else {
            return
        }
        // Why no error: its time ends it.
        _ = try? await board.erase(name, in: .duties, if: .version(note.version))
    }

    /// Leaves it if ``isHeld(on:now:)`` said that it is ours.
    package mutating func giveUp(on board: any Board) async {
        guard heldUntil != nil else { return }
        heldUntil = nil
        await leave(on: board)
    }
}
