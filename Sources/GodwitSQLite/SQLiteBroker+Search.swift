// SPDX-License-Identifier: Apache-2.0
public import Godwit

extension SQLiteBroker {
    public func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        try await run(plan, after: cursor, budget)
    }
}

extension SQLiteBroker: SearchSource {
    /// One short snapshot on the connection that reads; writers never wait for it.
    package func slice(_ step: SearchStep) async throws(BrokerError) -> SearchSlice {
        try await reader.read("search '\(step.queue)'") { db in
            guard let number = try db.queueState(step.queue)?.number else { return SearchSlice() }
            return try db.slice(step, number)
        }
    }

    package func searchTime() -> Timestamp { time.now() }

    package var location: String { reader.path }
}
