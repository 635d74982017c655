// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// Something that one process at a time should do, held by a note with a time to live.
///
/// Nothing depends on there being only one: two archivers send the same rows, and rows are told
/// apart by their key. The duty saves the work. A process that dies is followed after the note's time.
package struct Duty {
    let name: String
    let owner: [UInt8]
    /// How long the note of a process that died stands in the way.
    let time: Duration
    private var version: Int64?
    private var heldUntil: Timestamp?
    private var askAgainAt: Timestamp?

    package init(_ name: String, owner: String, time: Duration = .seconds(30)) {
        self.time = time
        self.name = name
        self.owner = Array(owner.utf8)
    }

    /// True while it is ours: takes or renews it when the time has come. Looks at the store at most
    /// every few seconds.
    package mutating func isHeld(on board: any Board, now: Timestamp) async throws(BrokerError) -> Bool {
        if let heldUntil, now < heldUntil { return true }
        if let askAgainAt, now < askAgainAt { return false }
        askAgainAt = now + time / 3
        var isOurs = false
        if let version {
            isOurs = try await board.write(
                owner, as: name, in: .duties, for: time, if: .version(version))
        }
        version = nil
        if !isOurs {
            isOurs = try await board.write(
                owner, as: name, in: .duties, for: time, if: .absent)
        }
        guard isOurs else {
            heldUntil = nil
            return false
        }
        if let note = try await board.note(name, in: .duties), note.bytes == owner {
            version = note.version
        }
        heldUntil = now + time / 3
        return true
    }

    /// Lets another process take it at once.
    package mutating func giveUp(on board: any Board) async {
        heldUntil = nil
        guard let version else { return }
        self.version = nil
        // Why no error: its time ends it.
        _ = try? await board.erase(name, in: .duties, if: .version(version))
    }
}
