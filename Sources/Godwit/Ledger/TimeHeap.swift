// SPDX-License-Identifier: Apache-2.0

/// Slots by time, then by place within a call, then by id: a binary heap that knows where each slot
/// stands, so that any of them leaves in O(log n).
struct TimeHeap: Sendable {
    struct Node: Sendable, Comparable {
        var time: Int64
        var place: Int32
        var slot: Int32
        var id: MessageID

        static func < (left: Node, right: Node) -> Bool {
            if left.time != right.time { return left.time < right.time }
            if left.place != right.place { return left.place < right.place }
            return left.id < right.id
        }
    }

    private(set) var nodes: [Node] = []

    var count: Int { nodes.count }
    var first: Node? { nodes.first }

    // `positions` belongs to the book: a slot stands in at most one heap, so they share it.

    mutating func insert(_ node: Node, _ positions: inout [Int32]) {
        nodes.append(node)
        positions[Int(node.slot)] = Int32(nodes.count - 1)
        rise(nodes.count - 1, &positions)
    }

    mutating func remove(_ slot: Int32, _ positions: inout [Int32]) {
        let position = Int(positions[Int(slot)])
        positions[Int(slot)] = -1
        let last = nodes.removeLast()
        guard position < nodes.count else { return }
        nodes[position] = last
        positions[Int(last.slot)] = Int32(position)
        sink(position, &positions)
        rise(position, &positions)
    }

    func node(of slot: Int32, _ positions: [Int32]) -> Node { nodes[Int(positions[Int(slot)])] }

    /// Up to `limit` nodes behind `cursor` in order, or in the opposite order. One pass over all of
    /// them that keeps no more than twice the limit; nothing but an inspection may call it.
    func page(
        after cursor: Node?, limit: Int, isDown: Bool = false,
        times: ClosedRange<Int64> = Int64.min...Int64.max
    ) -> [Node] {
        let limit = min(limit, nodes.count)
        guard limit > 0 else { return [] }
        func precedes(_ left: Node, _ right: Node) -> Bool { isDown ? right < left : left < right }
        var kept: [Node] = []
        // The last one that can still be on the page.
        var bound: Node?
        for node in nodes where times.contains(node.time) {
            if let cursor, !precedes(cursor, node) { continue }
            if let bound, !precedes(node, bound) { continue }
            kept.append(node)
            if kept.count == 2 * limit {
                kept.sort(by: precedes)
                kept.removeLast(limit)
                bound = kept.last
            }
        }
        return Array(kept.sorted(by: precedes).prefix(limit))
    }

    private mutating func rise(_ start: Int, _ positions: inout [Int32]) {
        var child = start
        let node = nodes[child]
        while child > 0 {
            let parent = (child - 1) / 2
            guard node < nodes[parent] else { break }
            nodes[child] = nodes[parent]
            positions[Int(nodes[child].slot)] = Int32(child)
            child = parent
        }
        nodes[child] = node
        positions[Int(node.slot)] = Int32(child)
    }

    private mutating func sink(_ start: Int, _ positions: inout [Int32]) {
        var parent = start
        let node = nodes[parent]
        while true {
            var child = 2 * parent + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1] < nodes[child] { child += 1 }
            guard nodes[child] < node else { break }
            nodes[parent] = nodes[child]
            positions[Int(nodes[parent].slot)] = Int32(parent)
            parent = child
        }
        nodes[parent] = node
        positions[Int(node.slot)] = Int32(parent)
    }
}
