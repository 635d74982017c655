// SPDX-License-Identifier: Apache-2.0

/// Everything measured over the points of a run, and its JSON.
package struct Scores: Sendable {
    static let horizons: [Double] = [30, 14, 7, 3]
    static let methods: [(name: String, value: any KeyPath<BacktestPoint, Double?> & Sendable)] = [
        ("ours", \.ours), ("two_point", \.twoPoint), ("segment_ols", \.leastSquares),
        ("segment_mean", \.mean), ("oracle", \.oracle),
    ]

    var points: [BacktestPoint] = []
    var forward: [BacktestPoint] = []
    var tally: [Int: BacktestTally] = [:]
    var jitter = 0.0
    var jitterCount = 0
    var depletions = 0
    var inTime = 0
    var early: [Double] = []
    package private(set) var readings = 0

    package init() {}

    mutating func add(_ result: ReplayResult) {
        points += result.points
        forward += result.forward
        for step in result.tally.keys.sorted() {
            tally[step, default: BacktestTally()] =
                tally[step, default: BacktestTally()] + (result.tally[step] ?? BacktestTally())
        }
        jitter += result.jitter
        jitterCount += result.jitterCount
        depletions += result.depletions
        inTime += result.inTime
        early += result.early
        readings += result.readings
    }

    /// Mean absolute error of a method at a horizon, on the points it answers.
    package func mae(_ method: String, _ horizon: Double) -> Double? {
        guard let value = Self.methods.first(where: { $0.name == method })?.value else {
            return nil
        }
        return average(errors(value, horizon).map(abs))
    }

    /// Share of points whose truth lies within p10…p90.
    package func coverage(step: Int? = nil, horizon: Double? = nil) -> Double? {
        average(
            points.compactMap { point in
                guard step == nil || Int(point.step) == step,
                    horizon == nil || point.horizon == horizon, let low = point.low,
                    let high = point.high
                else { return nil }
                return point.actual >= low && point.actual <= high ? 1 : 0
            })
    }

    package func f1(upTo step: Int = .max) -> Double {
        tally.keys.sorted().filter { $0 <= step }
            .reduce(BacktestTally()) { $0 + (tally[$1] ?? BacktestTally()) }.f1
    }

    /// Share of points without an answer.
    package func noAnswer(_ method: String) -> Double {
        guard let value = Self.methods.first(where: { $0.name == method })?.value, !points.isEmpty
        else { return 1 }
        return Double(points.count { $0[keyPath: value] == nil }) / Double(points.count)
    }

    func errors(_ value: KeyPath<BacktestPoint, Double?>, _ horizon: Double?) -> [Double] {
        points.compactMap { point in
            guard horizon == nil || point.horizon == horizon, let answer = point[keyPath: value]
            else { return nil }
            return answer - point.actual
        }
    }

    func average(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Adds the points of other seeds, for figures over all of them.
    package mutating func merge(_ other: Scores) {
        points += other.points
        forward += other.forward
        for step in other.tally.keys.sorted() {
            tally[step, default: BacktestTally()] =
                tally[step, default: BacktestTally()] + (other.tally[step] ?? BacktestTally())
        }
        jitter += other.jitter
        jitterCount += other.jitterCount
        depletions += other.depletions
        inTime += other.inTime
        early += other.early
        readings += other.readings
    }
}
