// SPDX-License-Identifier: Apache-2.0

/// `godwit [global] <noun> <verb> [id…]`: global options may stand before the noun as well as behind.
enum Grammar {
    /// Global options that take a value, and those that do not.
    private static let valued: Set<String> = [
        "--broker", "-o", "--output", "--fields", "--limit", "--time", "--color", "--context",
        "--history", "--timeout", "--log-level",
    ]
    private static let flags: Set<String> = [
        "-q", "--quiet", "-v", "--verbose", "--yes", "--dry-run",
    ]

    /// What stands under every help text.
    static let footer = """
        EXIT
        \(Failure.codes)
        NEXT
          godwit help json      what -o json prints: schemas and fields
          godwit help query     how --where is written
          godwit doctor         is the store fit, do its queues add up?
        """

    /// The arguments as the parser takes them: global options from before the noun go behind the rest,
    /// `help json` and `help query` become the commands behind them.
    static func ordered(_ arguments: [String]) -> [String] {
        var early: [String] = []
        var rest = arguments[...]
        while let word = rest.first {
            let name = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            if flags.contains(word) || (valued.contains(name) && name != word) {
                early.append(word)
                rest = rest.dropFirst()
            } else if word.hasPrefix("-v"), word.dropFirst().allSatisfy({ $0 == "v" }) {
                early.append(word)
                rest = rest.dropFirst()
            } else if valued.contains(word), rest.count >= 2 {
                early += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        var words = Array(rest)
        if words.first == "help", words.count >= 2, ["json", "query"].contains(words[1]) {
            words.replaceSubrange(0..<2, with: ["help-\(words[1])"])
        }
        guard !early.isEmpty, !words.isEmpty else { return arguments.isEmpty ? [] : early + words }
        // Behind `--` everything is an argument, and an option of its own is not ours to move.
        let end = words.firstIndex(of: "--") ?? words.endIndex
        words.insert(contentsOf: early, at: end)
        return words
    }
}
