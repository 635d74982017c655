// SPDX-License-Identifier: Apache-2.0

extension MemoryBroker {
    public func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        try await run(plan, after: cursor, budget)
    }
}

extension MemoryBroker: SearchSource {
    package func slice(_ step: SearchStep) async throws(BrokerError) -> SearchSlice {
        let sight = try locked("search '\(step.queue)'") { $0.ledger.sight(step) }
        // Why here: bodies are read outside of the lock, so that nobody waits for a query.
        return sight.slice(step)
    }

    package func searchTime() -> Timestamp { time.now() }

    package var location: String { Self.location }
}
