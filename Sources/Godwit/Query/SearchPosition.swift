// SPDX-License-Identifier: Apache-2.0

/// Where a search goes on: `sum/queue/walk/place`.
///
/// The sum is over the query too. A cursor of another query, or one that was cut short, would leave out
/// messages without a word; with the sum it is refused. It keeps no secret: whoever makes one that fits
/// reads what the query means, from another place.
package struct SearchPosition {
    package var queue: QueueName
    /// Nil in a search by ids.
    package var walk: SearchWalk?
    package var inner: String?

    package init(queue: QueueName, walk: SearchWalk?, inner: String?) {
        self.queue = queue
        self.walk = walk
        self.inner = inner
    }

    /// Nil for what this query never gave.
    init?(_ cursor: PageCursor, of plan: QueryPlan) {
        let parts = cursor.text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, let queue = try? QueueName(String(parts[1])),
            plan.queues.contains(queue)
        else { return nil }
        self.queue = queue
        walk = SearchWalk(rawValue: String(parts[2]))
        inner = parts[3].isEmpty ? nil : String(parts[3])
        guard self.cursor(of: plan) == cursor else { return nil }
        let isMeant =
            if let walk { plan.ids == nil && walk.isMeant(by: plan) } else { plan.ids != nil }
        guard isMeant else { return nil }
    }

    package func cursor(of plan: QueryPlan) -> PageCursor {
        let place = "\(queue)/\(walk?.rawValue ?? "ids")/\(inner ?? "")"
        // FNV-1a of 64 bits (http://www.isthe.com/chongo/tech/comp/fnv).
        var sum: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(plan.query)\0\(place)".utf8 {
            sum = (sum ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return PageCursor("\(String(sum, radix: 36))/\(place)")
    }
}
