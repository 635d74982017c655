// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Godwit
import MessagePack

/// What a store knows of a token; never its secret.
package struct TokenRecord: Sendable, Hashable, Codable {
    package let name: String
    package let grants: [Grant]
    package let createdAt: Timestamp
    /// Nil: it is good until it is removed.
    package let expiresAt: Timestamp?
    /// SHA-256 of its secret.
    let digest: [UInt8]

    package func isGood(at now: Timestamp) -> Bool { expiresAt.map { now < $0 } ?? true }

    package func allows(_ act: Act, on queue: QueueName?) -> Bool {
        grants.contains { $0.allows(act, on: queue) }
    }

    /// There is a queue where it may do this.
    func allowsSomewhere(_ act: Act) -> Bool { grants.contains { $0.acts.contains(act) } }
}

/// The tokens as they stand on a store's board: what `godwit token` and the door read and write.
package struct TokenBook: Sendable {
    private let board: any Board

    package init(_ board: any Board) { self.board = board }

    /// Makes a token and answers the only copy of it; nil when the name is taken.
    ///
    /// Atomic: one of two that add the same name at once gets nil. Crash half way: a token that nobody
    /// has seen stands in the list; remove it.
    package func add(
        _ name: String, grants: [Grant], expiresAt: Timestamp?, now: Timestamp
    ) async throws(BrokerError) -> AccessToken? {
        guard AccessToken.isName(name) else {
            throw Self.refusal(
                name, "that is no name", "Use 1 to 64 characters out of A–Z a–z 0–9 . _ -")
        }
        let token = AccessToken(named: name)
        let record = TokenRecord(
            name: name, grants: grants, createdAt: now, expiresAt: expiresAt,
            digest: Array(token.digest))
        let bytes: [UInt8]
        do {
            bytes = try MessagePackEncoder().encode(record)
        } catch {
            throw Self.refusal(name, "\(error)", "Nothing was kept.")
        }
        // Why it stays for a while after its end: so that the list says why a client is refused.
        let time = expiresAt.map { max(.zero, $0 - now) + Self.remembered }
        let isNew = try await board.write(bytes, as: name, in: .tokens, for: time, if: .absent)
        return isNew ? token : nil
    }

    /// All tokens by name. What can't be read is left out, and opens nothing.
    package func all() async throws(BrokerError) -> [TokenRecord] {
        try await board.notes(in: .tokens).compactMap(Self.record).sorted { $0.name < $1.name }
    }

    /// Takes a token away; false when there is none. A door that runs knows within
    /// ``TokenShelf/longest``.
    package func remove(_ name: String) async throws(BrokerError) -> Bool {
        guard AccessToken.isName(name) else { return false }
        return try await board.erase(name, in: .tokens, if: .any)
    }

    /// The key of the store's ``TokenMask``; made at the first use, the same for every door.
    ///
    /// Why in this folder and not in `state`: notes of `state` are given to whoever may inspect.
    func maskKey() async throws(BrokerError) -> SymmetricKey {
        let fresh = SymmetricKey(size: .bits256)
        _ = try await board.write(
            fresh.withUnsafeBytes { Array($0) }, as: Self.maskNote, in: .tokens, for: nil,
            if: .absent)
        guard let note = try await board.note(Self.maskNote, in: .tokens), note.bytes.count == 32
        else {
            throw .corrupt(
                BrokerError.Problem(
                    what: "read the key of lease tokens", location: "the board",
                    cause: "the note '\(Self.maskNote)' does not hold 32 bytes",
                    advice: "Erase it: a new one is made, and leases held by clients become stale.")
            )
        }
        return SymmetricKey(data: note.bytes)
    }

    static func record(_ note: Note) -> TokenRecord? {
        guard AccessToken.isName(note.name),
            let record = try? MessagePackDecoder().decode(TokenRecord.self, from: note.bytes),
            record.name == note.name, record.digest.count == SHA256.byteCount
        else { return nil }
        return record
    }

    /// No token has a name with a slash.
    private static let maskNote = "mask/key"
    private static let remembered = Duration.seconds(30 * 24 * 3600)

    private static func refusal(_ name: String, _ cause: String, _ advice: String) -> BrokerError {
        .invalid(
            BrokerError.Problem(
                what: "add the token '\(String(name.prefix(80)).escapedForDisplay)'",
                location: "the board", cause: cause, advice: advice))
    }
}
