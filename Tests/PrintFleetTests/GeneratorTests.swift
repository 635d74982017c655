// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

@Suite struct `Fleet generator` {
    private func bytes(_ recipe: FleetRecipe, _ number: Int) -> [UInt8] {
        FleetGenerator.lines(recipe, device: number).flatMap(\.line)
            + FleetGenerator.truth(recipe, number, true)
    }

    @Test func `the same seed gives the same bytes and another seed others`() {
        var recipe = FleetRecipe(devices: 3, days: 90, seed: 4)
        recipe.addExtras()
        recipe.meters = 12
        #expect(bytes(recipe, 2) == bytes(recipe, 2))
        var other = recipe
        other.seed = 5
        #expect(bytes(recipe, 2) != bytes(other, 2))
    }

    @Test func `more devices change none of the others`() {
        let small = FleetRecipe(devices: 3, days: 90, seed: 4)
        let large = FleetRecipe(devices: 300, days: 90, seed: 4)
        #expect(bytes(small, 1) == bytes(large, 1))
    }

    @Test func `every line generated is a reading of its device, in order`() throws {
        let recipe = FleetRecipe(devices: 1, days: 120, seed: 8)
        var last = Instant(ms: 0)
        for (time, line) in FleetGenerator.lines(recipe, device: 0) {
            let reading = try ReadingParser.parse(line)
            #expect(reading.time == time)
            #expect(time > last)
            last = time
        }
    }

    @Test func `the seeds for tuning and for the test have none in common`() {
        #expect(Set(Seeds.tuning).isDisjoint(with: Seeds.test))
        #expect(Seeds.test.count >= 5)
    }
}

@Suite struct `Backtest of a fleet` {
    @Test func `the result does not depend on how many devices run at a time`() async {
        let recipe = FleetRecipe(devices: 5, days: 250, seed: Seeds.tuning[0])
        func json(_ scores: Scores) -> [UInt8] {
            var json = JSONWriter()
            json.open()
            scores.write(to: &json)
            json.close()
            return json.bytes
        }
        let one = json(await Backtest.run(recipe, lanes: 1))
        #expect(one == json(await Backtest.run(recipe, lanes: 3)))
        #expect(one.count > 500)
    }

    @Test func `a small fleet of a tuning seed meets the bar`() async throws {
        let scores = await Backtest.run(FleetRecipe(devices: 60, seed: Seeds.tuning[1]))
        for horizon in [30.0, 14, 7] {
            let ours = try #require(scores.mae("ours", horizon))
            let two = try #require(scores.mae("two_point", horizon))
            let oracle = try #require(scores.mae("oracle", horizon))
            #expect(ours <= 0.7 * two)
            #expect(oracle < ours)
        }
        #expect(scores.noAnswer("ours") < 0.01)
        #expect(scores.f1() > 0.97)
        #expect(abs((scores.coverage() ?? 0) - 0.8) < 0.06)
    }
}
