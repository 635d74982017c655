// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC

/// A token that is kept, without its secret.
struct TokenRow: Row {
    static let schema = "godwit.token/1"
    static let columns: [Column<TokenRow>] = [
        .text("name", "its name") { $0.record.name },
        .flag("good", "doors take it; false: its time is over") { $0.isGood },
        .list("allow", "queues and what may be done there") {
            $0.record.grants.map { .text("\($0)") }
        },
        .time("created_at", "when it was made") { $0.record.createdAt },
        .time("expires_at", "when it ends; none: when it is removed") { $0.record.expiresAt },
    ]
    let record: TokenRecord
    let isGood: Bool

    init(_ record: TokenRecord, at now: Timestamp) {
        self.record = record
        isGood = record.isGood(at: now)
    }
}

/// A token that was just made: the only time that its secret is shown.
struct NewTokenRow: Row {
    static let schema = "godwit.new-token/1"
    static let columns: [Column<NewTokenRow>] = [
        .text("token", "what the client sends; none with --dry-run") { $0.token },
        .text("name", "its name") { $0.name },
        .list("allow", "queues and what may be done there") { $0.grants.map { .text("\($0)") } },
        .time("expires_at", "when it ends; none: when it is removed") { $0.expiresAt },
    ]
    let name: String
    let token: String?
    let grants: [Grant]
    let expiresAt: Timestamp?
}
