// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// When will this toner run out? Readings in, forecasts and alerts out.
@main
struct PrintFleetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print-fleet",
        abstract: "Forecasts when the supplies of a fleet of printers run out.",
        subcommands: [
            WorkCommand.self, ReportCommand.self, GenerateCommand.self, BacktestCommand.self,
        ])
}
