// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FibonacciNumbers
import Godwit

/// Which numbers are asked for.
struct NumberOptions: ParsableArguments {
    @Option(help: "How many numbers: a third of them in a row from 0, the others ever sparser.")
    var count = 300
    @Option(help: "The largest n among them.") var largest: UInt32 = 478_495
    @Option(help: "The seed that chooses them.") var numberSeed: UInt64 = 1

    func validate() throws {
        guard (1...10_000).contains(count) else {
            throw ValidationError("--count is 1 to 10000, not \(count).")
        }
        guard largest <= ServiceOptions.largestBound, Int(largest) + 1 >= count else {
            throw ValidationError(
                "--largest is \(count - 1) (for --count \(count)) to \(ServiceOptions.largestBound), not \(largest)."
            )
        }
    }

    var numbers: [UInt32] {
        var random = Xoshiro(seed: numberSeed)
        return Numbers.draw(count, largest: largest, using: &random)
    }
}

struct EnqueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Asks for numbers: those named, or some that are drawn.",
        discussion: """
            Prints what was added as JSON. While a number waits or is computed, asking again adds \
            nothing; when it has its answer, a second message finds it and changes nothing.
            """)

    @Option(help: "sqlite:PATH, redis://… or redis+unix://…") var broker: String
    @OptionGroup var options: NumberOptions
    @Argument(help: "Numbers; else --count are drawn.") var numbers: [UInt32] = []

    private struct Accepted: Encodable { let asked: Int, added: Int }

    func run() async throws {
        let numbers = numbers.isEmpty ? options.numbers : numbers
        let accepted = try await House.with(broker) { try await House.enqueue(numbers, on: $0) }
        try House.print(Accepted(asked: numbers.count, added: accepted.count { $0.isNew }))
    }
}
