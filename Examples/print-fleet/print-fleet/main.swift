import PrintFleet
let a = CommandLine.arguments
let devices = Int(a[1])!, seeds = a[2].split(separator: ",").map { UInt64($0)! }, regimes = a[3].split(separator: ",").map { Double($0)! }
nonisolated(unsafe) var rows: [Double] = [0,0,0,0]
for r in regimes {
    var all = Scores()
    for s in seeds {
        var recipe = FleetRecipe(devices: devices, seed: s)
        recipe.regimes = r; if a.last == "on" { recipe.printsWhenEmpty = true }
        all.merge(await Backtest.run(recipe))
    }
    func f(_ x: Double?) -> String { fixed(x ?? .nan, 2) }
    var line = "R\(r) "
    for h in [30.0, 14, 7, 3] { line += "| h\(Int(h)) " + ["ours","two_point","segment_ols","segment_mean","oracle"].map { f(all.mae($0, h)) }.joined(separator: " ") + " ratio " + fixed((all.mae("ours", h) ?? 0)/(all.mae("two_point", h) ?? 1), 3) + " " }
    for (i,h) in [30.0,14,7,3].enumerated() { rows[i] += (all.mae("ours", h) ?? 0) / Double(regimes.count) }
    if a.count > 4, a[4] == "s" { continue }
    print(line)
    print("   cov \(fixed(all.coverage() ?? 0, 3)) by step", [1,2,5,10,20].map { fixed(all.coverage(step: $0) ?? 0, 3) }, "by h", [30.0,14,7,3].map { fixed(all.coverage(horizon: $0) ?? 0, 3) }, "noans", fixed(all.noAnswer("ours"),4), fixed(all.noAnswer("two_point"),4), "f1", fixed(all.f1(),4), fixed(all.f1(upTo: 5),4), all.readings)
    if a.count > 4, a[4] == "json" { var j = JSONWriter(); j.open(); all.write(to: &j); j.close(); print(String(decoding: j.bytes, as: UTF8.self)) }
}
if a.count > 4, a[4] == "debug" { var recipe = FleetRecipe(devices: devices, seed: seeds[0]); recipe.regimes = regimes[0]; Backtest.debug(recipe) }

print("S", rows.map { fixed($0, 3) })
