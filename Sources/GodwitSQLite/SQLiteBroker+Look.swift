// SPDX-License-Identifier: Apache-2.0
import GRDB
package import Godwit
import Synchronization

/// What tests look at from outside.
extension SQLiteBroker {
    /// Reads (or sets, with `name = value`) a pragma on the connection that writes.
    package func pragma(_ text: String) async throws(BrokerError) -> String? {
        try await run("read pragma \(text)") { (store) throws(StoreFault) in
            let statement = try Statement("PRAGMA \(text)", in: store.database)
            defer { statement.finalize() }
            return try statement.step() ? statement.text(0) : nil
        }
    }

    /// Every statement that runs for a message or a call, by name.
    package static var statementTexts: [(name: String, sql: String)] {
        Statements.texts + StreamStatements.texts + LaneReading.texts + Waiters.texts
            + Database.pageTexts + Database.searchTexts + NoteStatements.texts + Database.noteTexts
            + Database.kindTexts
    }

    package var commitCount: Int { writer.commits.load(ordering: .relaxed) }
    package var checkpointCount: Int { writer.checkpoints.load(ordering: .relaxed) }
    /// Calls that were ever queued.
    package var submittedCalls: Int { writer.submissions.load(ordering: .relaxed) }
    /// Whether somebody waits, so that other processes are watched.
    package var isWatching: Bool { waiters.isWatching }
}
