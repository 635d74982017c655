// SPDX-License-Identifier: Apache-2.0

/// A stretch of time in a sound.
public struct TimeSpan: Sendable, Hashable, Codable {
    /// Seconds from the first frame.
    public var start: Double
    public var end: Double

    public init(start: Double, end: Double) {
        self.start = start
        self.end = end
    }
}

/// Runs of samples that stand at full scale.
public struct Clipping: Sendable, Hashable, Codable {
    public var count: Int
    /// Samples of the longest.
    public var longest: Int

    public init(count: Int, longest: Int) {
        self.count = count
        self.longest = longest
    }
}
