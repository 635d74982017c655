// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos

extension SearchBudget {
    /// A number left out is the most.
    package init(_ wire: Godwit_V1_SearchRequest) {
        self.init(
            messages: wire.messages == 0 ? WireLimits.page : Int(wire.messages),
            records: wire.records == 0 ? Self.maxRecords : Int(wire.records),
            time: wire.hasTimeMs ? Duration(wire: wire.timeMs) : Self.maxTime)
    }
}

extension Godwit_V1_SearchRequest {
    package init(_ plan: QueryPlan, after cursor: PageCursor?, _ budget: SearchBudget) {
        self.init()
        query = plan.query.description
        self.cursor = cursor?.text ?? ""
        nowMs = plan.now.wire
        if let upper = plan.upperID { upperID = upper.wire }
        messages = UInt32(clamping: max(1, budget.messages))
        records = UInt32(clamping: max(1, budget.records))
        timeMs = budget.time.wire
    }
}
