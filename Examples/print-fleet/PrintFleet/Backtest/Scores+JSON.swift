// SPDX-License-Identifier: Apache-2.0

extension Scores {
    /// One object: per method the errors at 30, 14, 7 and 3 days, then intervals and detection.
    package func write(to json: inout JSONWriter) {
        for (name, value) in Self.methods {
            if name == "oracle", points.allSatisfy({ $0.oracle == nil }) { continue }
            json.name(name)
            json.open()
            for horizon in Self.horizons {
                json.field(
                    "mae_\(Int(horizon))", average(errors(value, horizon).map(abs)), decimals: 3)
            }
            for horizon in Self.horizons {
                json.field(
                    "median_\(Int(horizon))", median(errors(value, horizon).map(abs)), decimals: 3)
            }
            for horizon in Self.horizons {
                json.field("bias_\(Int(horizon))", average(errors(value, horizon)), decimals: 3)
            }
            for horizon in Self.horizons {
                json.field("common_mae_\(Int(horizon))", common(value, horizon), decimals: 3)
            }
            for horizon in Self.horizons {
                json.field("device_mae_\(Int(horizon))", macro(value, horizon), decimals: 3)
            }
            json.field("no_answer", noAnswer(name), decimals: 5)
            json.close()
        }
        json.field("coverage_80", coverage(), decimals: 4)
        json.name("coverage_by_step")
        json.open()
        for step in tally.keys.sorted() {
            json.field("\(step)", coverage(step: step), decimals: 4)
        }
        json.close()
        json.name("coverage_by_horizon")
        json.open()
        for horizon in Self.horizons {
            json.field("\(Int(horizon))", coverage(horizon: horizon), decimals: 4)
        }
        json.close()
        json.field("width_80", median(widths), decimals: 3)
        json.name("pinball")
        json.open()
        json.field("10", pinball(\.low, 0.1), decimals: 3)
        json.field("50", pinball(\.ours, 0.5), decimals: 3)
        json.field("90", pinball(\.high, 0.9), decimals: 3)
        json.close()
        json.field("replacement_f1", f1(), decimals: 5)
        json.field("replacement_f1_fine", f1(upTo: 5), decimals: 5)
        json.name("replacement_by_step")
        json.open()
        for step in tally.keys.sorted() {
            guard let one = tally[step] else { continue }
            json.name("\(step)")
            json.open()
            json.field("found", one.found)
            json.field("missed", one.missed)
            json.field("invented", one.invented)
            json.field("f1", one.f1, decimals: 5)
            json.field("delay", Double(one.delay) / Double(max(1, one.found)), decimals: 2)
            json.close()
        }
        json.close()
        json.field("jitter", jitterCount > 0 ? jitter / Double(jitterCount) : nil, decimals: 3)
        json.name("alerts")
        json.open()
        json.field("depletions", depletions)
        json.field(
            "in_time", depletions > 0 ? Double(inTime) / Double(depletions) : nil, decimals: 4)
        json.field("median_days_early", median(early), decimals: 2)
        json.close()
        writeForward(to: &json)
        json.field("points", points.count)
        json.field("readings", readings)
    }

    private var widths: [Double] {
        points.compactMap { point in
            guard let low = point.low, let high = point.high else { return nil }
            return (high - low) / point.actual
        }
    }

    /// On the points that every method answers.
    private func common(_ value: KeyPath<BacktestPoint, Double?>, _ horizon: Double) -> Double? {
        average(
            points.compactMap { point in
                guard point.horizon == horizon, point.ours != nil, point.twoPoint != nil,
                    point.leastSquares != nil, point.mean != nil, let answer = point[keyPath: value]
                else { return nil }
                return abs(answer - point.actual)
            })
    }

    /// Mean over devices of each device's mean: busy devices weigh no more than others.
    private func macro(_ value: KeyPath<BacktestPoint, Double?>, _ horizon: Double) -> Double? {
        var means: [Double] = []
        var sum = 0.0
        var count = 0.0
        var device = -1
        for point in points where point.horizon == horizon {
            if point.device != device {
                if count > 0 { means.append(sum / count) }
                (sum, count, device) = (0, 0, point.device)
            }
            guard let answer = point[keyPath: value] else { continue }
            sum += abs(answer - point.actual)
            count += 1
        }
        if count > 0 { means.append(sum / count) }
        return average(means)
    }

    private func pinball(_ value: KeyPath<BacktestPoint, Double?>, _ quantile: Double) -> Double? {
        average(
            points.compactMap { point in
                guard let answer = point[keyPath: value] else { return nil }
                let over = point.actual - answer
                return max(quantile * over, (quantile - 1) * over)
            })
    }

    /// Random origins, cartridges that never ran dry included: a depletion weighs 1 ÷ the chance that
    /// it was not cut off before (inverse probability of censoring, by Kaplan and Meier 1958).
    private func writeForward(to json: inout JSONWriter) {
        guard !forward.isEmpty else { return }
        let sorted = forward.filter { $0.ours != nil }.sorted {
            ($0.actual, $0.isCensored ? 1 : 0) < ($1.actual, $1.isCensored ? 1 : 0)
        }
        var survival = 1.0
        var weight = 0.0
        var error = 0.0
        var inside = 0.0
        var near = (weight: 0.0, error: 0.0, two: 0.0, twoWeight: 0.0)
        for (at, point) in sorted.enumerated() {
            if point.isCensored {
                survival *= 1 - 1 / Double(sorted.count - at)
                continue
            }
            guard let answer = point.ours, let low = point.low, let high = point.high,
                survival > 0.02
            else { continue }
            weight += 1 / survival
            error += abs(answer - point.actual) / survival
            inside += (point.actual >= low && point.actual <= high ? 1 : 0) / survival
            guard point.actual <= 45 else { continue }
            near.weight += 1 / survival
            near.error += abs(answer - point.actual) / survival
            if let two = point.twoPoint {
                near.two += abs(two - point.actual) / survival
                near.twoWeight += 1 / survival
            }
        }
        json.name("forward")
        json.open()
        json.field("points", sorted.count)
        json.field("censored", sorted.count { $0.isCensored })
        json.field("mae", weight > 0 ? error / weight : nil, decimals: 3)
        json.field("coverage_80", weight > 0 ? inside / weight : nil, decimals: 4)
        json.field("mae_within_45", near.weight > 0 ? near.error / near.weight : nil, decimals: 3)
        json.field(
            "two_point_within_45", near.twoWeight > 0 ? near.two / near.twoWeight : nil,
            decimals: 3)
        json.close()
    }
}
