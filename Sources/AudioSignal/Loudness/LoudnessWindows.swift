// SPDX-License-Identifier: Apache-2.0

/// The last 3 s of energy in hops of 10 ms, and the windows of 400 ms and 3 s that end with the newest hop.
///
/// Why no running total that adds the new hop and subtracts the old: after a loud passage its rounding
/// would stay as a floor under a quiet one. Instead the energy of each tenth of a second that ends with a hop
/// is kept, and a window is the sum of 4 or 30 of these: 44 additions a hop, no subtraction, no drift.
struct LoudnessWindows: Sendable {
    /// In hops.
    static let tenth = 10
    static let momentary = 40
    static let shortTerm = 300

    private var hops = [Double](repeating: 0, count: tenth)
    private var tenths = [Double](repeating: 0, count: shortTerm)
    /// Hops added so far.
    private(set) var count = 0

    mutating func add(_ energy: Double) {
        hops[count % Self.tenth] = energy
        // Oldest first, whatever the ring's turn, so that equal sound gives equal sums at any time.
        var tenth = 0.0
        for back in 1...Self.tenth { tenth += hops[(count + back) % Self.tenth] }
        tenths[count % Self.shortTerm] = tenth
        count += 1
    }

    /// The energy of the newest `length` hops (a multiple of ten, 300 at most); nil until there are so many.
    func energy(_ length: Int) -> Double? {
        guard count >= length else { return nil }
        var sum = 0.0
        var place = (count - length + Self.tenth - 1) % Self.shortTerm
        for _ in 0..<(length / Self.tenth) {
            sum += tenths[place]
            place += Self.tenth
            if place >= Self.shortTerm { place -= Self.shortTerm }
        }
        return sum
    }
}
