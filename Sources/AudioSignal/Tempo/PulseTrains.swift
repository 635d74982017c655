// SPDX-License-Identifier: Apache-2.0

/// Which of the candidate lags a row of evenly spaced pulses fits best.
///
/// Cross-correlation with pulse trains (Percival and Tzanetakis 2014, §II-B.4): for each lag T three
/// rows are laid together, with pulses every T (weight 1), every 2T and every 3T/2 (weight ½), and slid
/// over the envelope. A beat shows in the best fit and in how much the fit depends on where the row lies.
struct PulseTrains: Sendable {
    let lags: [Double]
    private(set) var scores: [Double]

    init(_ lags: [Double]) {
        self.lags = lags
        scores = Array(repeating: 0, count: lags.count)
    }

    /// Adds the verdict of one stretch of the envelope.
    mutating func add(_ stretch: ArraySlice<Float>) {
        var (best, spread) = ([Double](), [Double]())
        for lag in lags {
            let fits = fits(stretch, lag)
            let mean = fits.reduce(0, +) / Double(max(1, fits.count))
            best.append(fits.max() ?? 0)
            spread.append(
                fits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, fits.count)))
        }
        let (bests, spreads) = (best.reduce(0, +), spread.reduce(0, +))
        guard bests > 0, spreads > 0 else { return }
        for index in lags.indices { scores[index] += best[index] / bests + spread[index] / spreads }
    }

    var winner: Double? {
        zip(lags, scores).max { $0.1 < $1.1 }.flatMap { $0.1 > 0 ? $0.0 : nil }
    }

    /// The mean of the envelope under the pulses, for every place of the first one.
    private func fits(_ stretch: ArraySlice<Float>, _ lag: Double) -> [Double] {
        let (start, count) = (stretch.startIndex, stretch.count)
        guard Double(count) > 2 * lag else { return [] }
        return (0..<Int(2 * lag)).map { phase in
            var (sum, weights) = (0.0, 0.0)
            for (spacing, weight) in [(1.0, 1.0), (2, 0.5), (1.5, 0.5)] {
                var place = Double(phase)
                while place < Double(count) {
                    sum += weight * Double(stretch[start + Int(place)])
                    weights += weight
                    place += spacing * lag
                }
            }
            return sum / weights
        }
    }
}
