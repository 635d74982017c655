// SPDX-License-Identifier: Apache-2.0

/// What a device uses per normal day, as a weighted set of hypotheses about when it last changed.
///
/// Bayesian online change-point detection (Adams and MacKay 2007) on chunks of usage, each a gamma
/// compound with an unknown scale; at most `limit` hypotheses are kept, the lightest goes first.
/// Quiet spells (closures) are set aside and count as usage only if they last.
struct UsageModel: Hashable, Sendable {
    struct Hypothesis: Hashable, Sendable {
        /// Day since 1970 from which this rate holds.
        var since: Double
        var weight: Double
        var shape: Double
        var scale: Double
    }

    static let limit = 8
    /// Bounds that honest devices stay far away from: beyond them a gamma's mean does not exist.
    static let mostNoise = 100.0
    static let leastShape = 1.05

    var hypotheses: [Hypothesis] = []
    var chunkUsage = 0.0
    var chunkExposure = 0.0
    var chunkStart = 0.0
    var quietUsage = 0.0
    var quietExposure = 0.0
    var noise = Tuning.noise
    var noiseWeight = Tuning.noiseWeight
    var days = 0.0
    var changes = 0.0
    /// The rate that held for long, while the leading hypothesis is an old one.
    var settled = 0.0

    /// Mean usage per normal day; nil before anything was used.
    var rate: Double? {
        guard !hypotheses.isEmpty else {
            let exposure = chunkExposure + quietExposure
            let used = chunkUsage + quietUsage
            return used > 0 && exposure > 0 ? used / exposure : nil
        }
        return centre.rate
    }

    /// The middle rate and the variance of its logarithm.
    var centre: (rate: Double, variance: Double) {
        var sum = 0.0
        var square = 0.0
        for one in hypotheses {
            let log = Maths.log(max(1e-9, self.mean(of: one)))
            sum += one.weight * log
            square += one.weight * (log * log + 1 / max(1.5, one.shape))
        }
        return (Maths.exp(sum), max(0, square - sum * sum))
    }

    /// The heaviest hypothesis: since when, and how sure.
    var leading: Hypothesis? {
        hypotheses.max { $0.weight < $1.weight }
    }

    /// How likely the rate has changed since `day`.
    func weight(since day: Double) -> Double {
        var sum = 0.0
        for one in hypotheses where one.since >= day { sum += one.weight }
        return sum
    }

    func mean(of one: Hypothesis) -> Double { one.scale / (one.shape - Tuning.center) / noise }

    mutating func add(_ amount: Double, exposure: Double, at day: Double, elapsed: Double) {
        if chunkExposure == 0 { chunkStart = day - elapsed }
        chunkUsage += amount
        chunkExposure += exposure
        days += elapsed
        guard chunkExposure >= Tuning.chunk else { return }
        close(at: day)
    }

    private mutating func close(at day: Double) {
        let usage = chunkUsage
        let exposure = chunkExposure
        chunkUsage = 0
        chunkExposure = 0
        guard let expected = rate, !hypotheses.isEmpty else {
            if usage > 0 || quietUsage > 0 {
                weigh(usage + quietUsage, exposure + quietExposure, day)
                quietUsage = 0
                quietExposure = 0
            } else {
                quietExposure += exposure
            }
            return
        }
        if usage < Tuning.quietShare * expected * exposure {
            quietUsage += usage
            quietExposure += exposure
            if quietExposure > 28 {
                weigh(quietUsage, quietExposure, day)
                quietUsage = 0
                quietExposure = 0
            }
            return
        }
        if quietExposure > 0 {
            // Why: a short quiet spell is chance and counts; a long one was a closure and does not.
            if quietExposure < max(Tuning.quietDays, 2.5 * noise) {
                weigh(usage + quietUsage, exposure + quietExposure, day)
            } else {
                weigh(usage, exposure, day)
            }
            quietUsage = 0
            quietExposure = 0
        } else {
            weigh(usage, exposure, day)
        }
    }

    private mutating func weigh(_ usage: Double, _ exposure: Double, _ day: Double) {
        guard !hypotheses.isEmpty else {
            let shape = 1 + exposure / noise
            hypotheses = [
                Hypothesis(
                    since: chunkStart, weight: 1, shape: shape,
                    scale: max(usage, 0.1))
            ]
            return
        }
        let before = centre.rate
        let kappa = exposure / noise
        let amount = max(usage, 0.02 * before * exposure, 1e-6)
        let hazard = (Tuning.hazard * Tuning.hazardDays + changes) / (Tuning.hazardDays + days)
        let risk = 1 - Maths.exp(-hazard * exposure)
        let fresh = Hypothesis(
            since: chunkStart, weight: risk, shape: Tuning.freshShape,
            scale: before * (Tuning.freshShape - 1) * noise)
        for at in hypotheses.indices { hypotheses[at].weight *= 1 - risk }
        hypotheses.append(fresh)
        var largest = -Double.infinity
        var logs: [Double] = []
        logs.reserveCapacity(hypotheses.count)
        for one in hypotheses {
            let a = one.shape
            let b = one.scale
            let log =
                Maths.logGamma(a + kappa) - Maths.logGamma(a) + a * Maths.log(b / (b + amount))
                + kappa * Maths.log(amount / (b + amount)) + Maths.log(max(1e-300, one.weight))
            logs.append(log)
            largest = max(largest, log)
        }
        var sum = 0.0
        for at in hypotheses.indices {
            hypotheses[at].weight = Maths.exp(logs[at] - largest)
            sum += hypotheses[at].weight
        }
        guard sum > 0, sum.isFinite else {
            // Why anew: after such numbers no hypothesis means anything, and none may spoil the rest.
            self = UsageModel()
            return
        }
        let limit = Tuning.memory / noise
        for at in hypotheses.indices {
            hypotheses[at].weight /= sum
            hypotheses[at].shape += kappa
            hypotheses[at].scale += amount
            if hypotheses[at].shape > max(limit, Self.leastShape) {
                let ratio = max(limit, Self.leastShape) / hypotheses[at].shape
                hypotheses[at].shape *= ratio
                hypotheses[at].scale *= ratio
            }
        }
        changes += hypotheses[hypotheses.count - 1].weight
        prune()
        learnNoise(usage, exposure)
        if let leading, day - leading.since > 45 { settled = mean(of: leading) }
    }

    private mutating func prune() {
        while hypotheses.count > Self.limit {
            var lightest = 0
            for at in hypotheses.indices.dropLast()
            where hypotheses[at].weight < hypotheses[lightest].weight { lightest = at }
            let gone = hypotheses.remove(at: lightest)
            // Why to the neighbour: it is the hypothesis that says nearly the same.
            hypotheses[max(0, lightest - 1)].weight += gone.weight
        }
    }

    /// The device's own scatter, clipped so that a change of regime does not pass for noise.
    private mutating func learnNoise(_ usage: Double, _ exposure: Double) {
        guard let leading, leading.shape > 6 / noise, mean(of: leading) > 0 else { return }
        let ratio = usage / (exposure * mean(of: leading)) - 1
        let sample = min(6 * noise, ratio * ratio * exposure)
        let old = noise
        noiseWeight = min(120, noiseWeight + 1)
        noise = min(Self.mostNoise, max(0.1, noise + (sample - noise) / noiseWeight))
        // Shapes count chunks in units of noise: the same evidence, said in the new unit.
        for at in hypotheses.indices {
            let shape = 1 + (hypotheses[at].shape - 1) * old / noise
            hypotheses[at].shape = max(Self.leastShape, shape)
        }
    }
}
