// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation

/// How hard a run of the crash tests is.
struct Plan: Sendable {
    var kills = 50
    var pauses = 20
    var messages = 20_000
    var processes = 4
    /// Long enough that a busy machine renews in time, short enough to be waited out.
    var lease: Duration = .milliseconds(1500)
    /// Some messages fail and are retried; some fail for good.
    var hasFailures = true
    var defect: Defect?
    /// So long nothing may be heard before the run is called stuck.
    var patience: Duration = .seconds(60)
    var seed = UInt64.random(in: 0 ... .max)

    /// What continuous integration runs; `GODWIT_CRASH_KILLS`, `_PAUSES` and `_MESSAGES` make it
    /// longer, `GODWIT_SEED` repeats the choices of another run.
    static var full: Plan {
        let environment = ProcessInfo.processInfo.environment
        func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
        var plan = Plan()
        plan.kills = number("GODWIT_CRASH_KILLS") ?? plan.kills
        plan.pauses = number("GODWIT_CRASH_PAUSES") ?? plan.pauses
        plan.messages = number("GODWIT_CRASH_MESSAGES") ?? plan.messages
        plan.patience = number("GODWIT_CRASH_PATIENCE").map { .seconds($0) } ?? plan.patience
        plan.defect = environment["GODWIT_CRASH_DEFECT"].flatMap(Defect.init)
        plan.seed = environment["GODWIT_SEED"].flatMap(UInt64.init) ?? plan.seed
        return plan
    }
}
