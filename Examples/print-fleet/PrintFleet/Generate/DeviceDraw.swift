// SPDX-License-Identifier: Apache-2.0

/// Everything that is drawn once for a device: its habits, its supplies and how it is observed.
struct DeviceDraw {
    struct SupplyDraw {
        var index: Int
        var color: Supply.Color
        var yield: Double
        /// Expected coverage by day (the random walk), without the daily scatter.
        var coverage: [Double]
        /// Daily scatter around it, mean above 1 as the recipe's LogN(0, .25) has it.
        var scatter: [Double]
        var firstLevel: Double
    }

    var number: Int
    var name: String
    var firstDay: Int
    var base: Double
    var dispersion: Double
    var driftDeviation: Double
    var weekend: Double
    var colorShare: Double
    var changesEarly: Bool
    var threshold: Double
    var step: Double
    var rounding: Rounding
    var poll: Double
    var missing: Double
    var capacity: Int
    var isLowOnly: Bool
    /// Expected pages by day: weekday, drift, regime and closures, all known to the oracle.
    var expected: [Double]
    /// Printed pages by day.
    var pages: [Int]
    var colorPages: [Int]
    var regimes: [(day: Int, factor: Double)]
    var closures: [(day: Int, length: Int)]
    var supplies: [SupplyDraw]
    static let scatterDeviation = 0.25

    init(_ recipe: FleetRecipe, number: Int) {
        func stream(_ purpose: UInt64) -> RandomStream {
            RandomStream(seed: recipe.seed, device: number, purpose: purpose)
        }
        self.number = number
        let digits = String(number)
        name = "d-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        var random = stream(1)
        let days = recipe.days
        firstDay = FleetRecipe.epoch + random.below(7)
        base = min(6000, max(3, random.logNormal(120, 1.1)))
        dispersion = 1 / random.uniform(0.15, 1.2)
        driftDeviation = random.uniform(0.1, 0.5)
        weekend = FleetRecipe.weekends[random.pick(FleetRecipe.weekendShares)]
        changesEarly = random.isTrue(0.25)
        threshold = random.uniform(3, 20)
        step = FleetRecipe.steps[random.pick(FleetRecipe.stepShares)]
        rounding = Rounding(rawValue: random.below(3)) ?? .floor
        poll = FleetRecipe.polls[random.pick(FleetRecipe.pollShares)]
        missing = random.uniform(0, 0.15)

        var extra = stream(2)
        capacity = extra.isTrue(recipe.capacityChange) ? 1000 : 100
        isLowOnly = extra.isTrue(recipe.lowOnly)
        let hasColor = extra.isTrue(recipe.color)
        colorShare = extra.uniform(0.1, 0.7)

        var regime = stream(3)
        regimes = (0..<regime.poisson(recipe.regimes * Double(days) / 730)).map { _ in
            (30 + regime.below(max(1, days - 30)), regime.logNormal(1, 0.7))
        }.sorted { $0.0 < $1.0 }
        var closing = stream(4)
        closures = (0..<closing.poisson(1.5 * Double(days) / 730)).map { _ in
            (closing.below(days), 3 + closing.below(15))
        }.sorted { $0.0 < $1.0 }

        var usage = stream(5)
        let week = [1.05, 1.10, 1.08, 1.00, 0.85, weekend, 0.8 * weekend]
        var drift = driftDeviation * usage.normal()
        expected = []
        pages = []
        let innovation = driftDeviation * (1 - 0.36).squareRoot()
        for day in 0..<days {
            var mean = base * week[Instant.weekday(ofDay: firstDay + day)]
            mean *= Maths.exp(drift - driftDeviation * driftDeviation / 2)
            for change in regimes where day >= change.day { mean *= change.factor }
            for closed in closures where day >= closed.day && day < closed.day + closed.length {
                mean *= 0.02
                break
            }
            expected.append(mean)
            pages.append(
                mean > 0 ? usage.poisson(mean / dispersion * usage.gamma(dispersion)) : 0)
            drift = 0.6 * drift + innovation * usage.normal()
        }

        // Why thinned by the day: colour jobs come in days, and a page is either colour or mono.
        var thin = stream(6)
        colorPages = []
        if hasColor {
            for count in pages {
                let share = min(1, max(0, colorShare + 0.1 * thin.normal()))
                colorPages.append(min(count, Int((Double(count) * share).rounded())))
            }
        }
        supplies = []
        let colors: [Supply.Color] = hasColor ? [.black, .cyan, .magenta, .yellow] : [.black]
        for (at, color) in colors.enumerated() {
            var use = stream(16 + UInt64(at))
            let mean = 0.05 * use.logNormal(1, 0.35)
            var walk = 0.0
            var coverage: [Double] = []
            var scatter: [Double] = []
            for _ in 0..<days {
                walk += 0.01 * use.normal()
                coverage.append(mean * Maths.exp(walk))
                scatter.append(use.logNormal(1, Self.scatterDeviation))
            }
            supplies.append(
                SupplyDraw(
                    index: at + 1, color: color,
                    yield: FleetRecipe.yields[use.below(FleetRecipe.yields.count)],
                    coverage: coverage, scatter: scatter, firstLevel: use.uniform(20, 100)))
        }
    }

    /// Percent of the cartridge that `day` uses; `isExpected` gives the oracle's curve.
    func use(_ supply: SupplyDraw, day: Int, isExpected: Bool = false) -> Double {
        let share = supply.color == .black || colorPages.isEmpty ? 1 : colorShare
        let scatter =
            isExpected
            ? Maths.exp(Self.scatterDeviation * Self.scatterDeviation / 2) : supply.scatter[day]
        let count: Double
        if isExpected {
            count = expected[day] * share
        } else if supply.color == .black || colorPages.isEmpty {
            count = Double(pages[day])
        } else {
            count = Double(colorPages[day])
        }
        return count * supply.coverage[day] * scatter / 0.05 / supply.yield * 100
    }
}
