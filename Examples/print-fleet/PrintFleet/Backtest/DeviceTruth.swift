// SPDX-License-Identifier: Apache-2.0

/// What truly happened to one device, from the generator or from a truth file.
package struct DeviceTruth: Sendable {
    package struct Cartridge: Sendable {
        package var installed: Instant
        package var depleted: Instant?
        package var removed: Instant?
        package var levelOut: Double
        package var cause: String

        package init(
            installed: Instant, depleted: Instant?, removed: Instant?, levelOut: Double,
            cause: String
        ) {
            self.installed = installed
            self.depleted = depleted
            self.removed = removed
            self.levelOut = levelOut
            self.cause = cause
        }
    }

    package struct Supply: Sendable {
        package var index: Int
        /// The true step, used for sorting results only.
        package var step: Double
        package var cartridges: [Cartridge]

        package init(index: Int, step: Double, cartridges: [Cartridge]) {
            self.index = index
            self.step = step
            self.cartridges = cartridges
        }
    }

    package var device: String
    package var supplies: [Supply]

    package init(device: String, supplies: [Supply]) {
        self.device = device
        self.supplies = supplies
    }
}

extension DeviceSimulation {
    var truth: DeviceTruth {
        func moment(_ time: Double) -> Instant { Instant(day: Double(draw.firstDay) + time) }
        return DeviceTruth(
            device: draw.name,
            supplies: zip(draw.supplies, lives).map { supply, life in
                DeviceTruth.Supply(
                    index: supply.index, step: draw.step,
                    cartridges: life.cartridges.map {
                        DeviceTruth.Cartridge(
                            installed: moment($0.installed), depleted: $0.depleted.map(moment),
                            removed: $0.removed.map(moment), levelOut: $0.levelOut,
                            cause: $0.cause.rawValue)
                    })
            })
    }

    /// Days from `origin` until the true level is used up at the true expected pace, future regimes
    /// and closures known: what no estimator can beat by much.
    func oracle(_ at: Int, origin: Instant) -> Double {
        let life = lives[at]
        let supply = draw.supplies[at]
        let start = origin.day - Double(draw.firstDay)
        var hint = 0
        var mark = 0
        let number = life.cartridge(at: start, from: &hint)
        var level = life.level(at: start, of: number, draw, supply, from: &mark)
        var time = start
        while Int(time) < draw.pages.count {
            let day = Int(time)
            let rate = draw.use(supply, day: day, isExpected: true)
            let used = Clockwork.share(time - Double(day))
            if rate > 0, used + level / rate <= 1 {
                return max(0, Double(day) + Clockwork.fraction(used + level / rate) - start)
            }
            level -= rate * (1 - used)
            time = Double(day + 1)
        }
        // Why: past the end of the simulation the last four weeks go on.
        let last =
            (max(0, draw.pages.count - 28)..<draw.pages.count)
            .reduce(0.0) { $0 + draw.use(supply, day: $1, isExpected: true) } / 28
        return min(365, time - start + (last > 0 ? level / last : 365))
    }
}
