// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

@main
struct NewsletterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "newsletter")
}
