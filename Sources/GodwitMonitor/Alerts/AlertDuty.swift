// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Sees to it that one process at a time watches: a note that lives as long as its holder renews it.
struct AlertDuty: Sendable {
    let board: any Board
    let holder: [UInt8]
    let time: Duration

    static let name = "alerts"

    /// Takes or renews the duty; false when another holds it.
    ///
    /// - Atomic: the write asks for the note as it was read, so of two that try at once one succeeds.
    /// - Crash halfway: the note ends by itself, and the next one takes it.
    func take() async throws(BrokerError) -> Bool {
        guard let note = try await board.note(Self.name, in: .duties) else {
            return try await board.write(
                holder, as: Self.name, in: .duties, for: time, if: .absent)
        }
        guard note.bytes == holder else { return false }
        return try await board.write(
            holder, as: Self.name, in: .duties, for: time, if: .version(note.version))
    }

    /// Lets it go, so that the next one need not wait.
    func leave() async {
        guard let note = try? await board.note(Self.name, in: .duties), note.bytes == holder else {
            return
        }
        _ = try? await board.erase(Self.name, in: .duties, if: .version(note.version))
    }
}
