// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PrintFleet

/// When to alert. All processes that work on one stream should be given the same rules.
struct RuleOptions: ParsableArguments {
    @Option(help: "Alert when the median forecast is so many days away; 0 is never.")
    var alertDays = 7.0
    @Option(help: "Alert at or below this level in percent; 0 is never.") var alertLevel = 0.0
    @Option(help: "Alert when a supply may be empty before this moment (RFC 3339, UTC).")
    var nextVisit: String?

    func rules() throws -> AlertRules {
        var rules = AlertRules()
        rules.days = alertDays > 0 ? alertDays : nil
        rules.level = alertLevel > 0 ? alertLevel : nil
        if let nextVisit {
            guard let visit = Instant(nextVisit) else {
                throw Wrong(
                    what: "--next-visit is no moment. Write it as 2026-12-01T08:00:00.000Z.")
            }
            rules.visit = visit
        }
        return rules
    }
}
