// SPDX-License-Identifier: Apache-2.0

/// A line that grows and shrinks at both ends in constant time.
struct Ring<Element: Sendable>: Sendable {
    private var cells: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    var first: Element? { count == 0 ? nil : cells[head] }

    /// The element at `position`, counted from the head; nil past the end.
    subscript(position: Int) -> Element? {
        position < count ? cells[(head + position) & (cells.count - 1)] : nil
    }

    mutating func append(_ element: Element) {
        if count == cells.count { grow() }
        cells[(head + count) & (cells.count - 1)] = element
        count += 1
    }

    mutating func prepend(_ element: Element) {
        if count == cells.count { grow() }
        head = (head - 1) & (cells.count - 1)
        cells[head] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = cells[head].take()
        head = (head + 1) & (cells.count - 1)
        count -= 1
        if count == 0, cells.count > 1024 { self = Ring() }
        return element
    }

    /// Brings the element at `position` to the head; those before it move back by one.
    mutating func bringToHead(_ position: Int) {
        guard position < count else { return }
        let mask = cells.count - 1
        let element = cells[(head + position) & mask]
        for place in stride(from: position, to: 0, by: -1) {
            cells[(head + place) & mask] = cells[(head + place - 1) & mask]
        }
        cells[head] = element
    }

    /// The first position whose element is past what `isBefore` covers; the line must be sorted so.
    func partition(_ isBefore: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if let element = self[middle], isBefore(element) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    // Why: the size is a power of two, so that a position wraps with one `and`.
    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, cells.count * 2))
        for position in 0..<count { larger.append(self[position]) }
        larger.append(contentsOf: repeatElement(nil, count: max(8, cells.count * 2) - count))
        cells = larger
        head = 0
    }
}
