// SPDX-License-Identifier: Apache-2.0

/// The sums of a run, and whether they are what they must be.
package struct Report: Sendable, Encodable {
    /// What a run found, before anybody judges it.
    package struct Findings: Sendable {
        /// The numbers asked for that the service can answer, and those that it must refuse.
        package var asked: [UInt32] = []
        package var refusable: [UInt32] = []
        package var courses: [Course] = []
        package var results = Results.Listing()
        /// Completions that the store counted meanwhile.
        package var completed = 0
        /// Nil: nobody was to be killed, or nobody was found.
        package var killed: Killed?
        package var isKillDue = false
        /// Nil: the service was not ours to ask.
        package var service: ServiceSums?
        /// Nil: nobody was to compare.
        package var comparison: Comparison?
        package var isComparisonDue = false
        package var seconds = 0.0

        package init() {}
    }

    /// Where the closed formula is wrong first, the numbers as text: they don't fit into JSON's.
    package struct Formula: Sendable, Encodable {
        package let rounding: ClosedFormula.Rounding
        package let n: Int
        package let exact: String
        package let formula: String
    }

    package let schema = 1
    package let numbers: Int
    package let largest: UInt32
    package let largestDigits: Int
    /// How long the service computed that one.
    package let largestMilliseconds: Int
    /// Results, and those of the numbers asked for that have exactly one.
    package let results: Int
    package let once: Int
    package let dead: Int
    /// Reported failures, and leases that ran out, of all messages.
    package let retried: Int
    package let lostLeases: Int
    package let killed: Killed?
    package let unfinished: Int
    package let service: ServiceSums?
    package let comparison: Comparison?
    package let wait: Percentiles?
    package let run: Percentiles?
    package let total: Percentiles?
    package let seconds: Double
    package let formula: [Formula]
    package let formulaInfiniteFrom: Int
    /// In the order of n.
    package let courses: [Course]
    /// What does not add up; empty when all does.
    package let problems: [String]

    package init(_ findings: Findings) {
        let answers = findings.results.answers
        var courses = findings.courses.sorted { $0.n < $1.n }
        for index in courses.indices {
            courses[index].digits = answers[courses[index].n]?.decimal.utf8.count
        }
        self.courses = courses
        numbers = findings.asked.count
        largest = findings.asked.max() ?? 0
        let last = findings.asked.max().flatMap { answers[$0] }
        largestDigits = last?.decimal.utf8.count ?? 0
        largestMilliseconds = (last?.computedMicroseconds ?? 0) / 1000
        results = answers.count
        once = findings.answeredOnce
        let completed = courses.filter { $0.end == .completed }
        dead = courses.count { $0.end == .dead }
        retried = courses.map(\.failures).reduce(0, +)
        lostLeases = courses.map(\.losses.count).reduce(0, +)
        killed = findings.killed
        unfinished = findings.results.unfinished
        service = findings.service
        comparison = findings.comparison
        wait = Percentiles(completed.map(\.wait))
        run = Percentiles(completed.map(\.run))
        total = Percentiles(completed.map(\.total))
        seconds = (findings.seconds * 10).rounded() / 10
        formula = [ClosedFormula.Rounding.truncated, .nearest].compactMap { rounding in
            ClosedFormula.firstMistake(rounding).map {
                Formula(
                    rounding: rounding, n: $0.n, exact: "\($0.exact)", formula: "\($0.formula)")
            }
        }
        formulaInfiniteFrom = ClosedFormula.firstInfinite
        problems = findings.problems
    }

    package var isExact: Bool { problems.isEmpty }
}

extension Report.Findings {
    /// How many of the numbers asked for have one answer, for a message that was acked once.
    var answeredOnce: Int {
        let acked = Set(courses.filter { $0.end == .completed && $0.acks == 1 }.map(\.n))
        return asked.count { results.answers[$0] != nil && acked.contains($0) }
    }

    /// What does not add up, as sentences.
    var problems: [String] {
        func expect(_ isTrue: Bool, _ sentence: String) -> [String] { isTrue ? [] : [sentence] }
        let strangers = Set(results.answers.keys).subtracting(asked).sorted()
        let missing = Set(asked).subtracting(results.answers.keys).sorted()
        let lost = courses.map(\.losses.count).reduce(0, +)
        let refused = courses.filter { $0.end == .dead }.map(\.n).sorted()
        let open = courses.filter { $0.end == .open }.map(\.n)
        return expect(missing.isEmpty, "no answer to \(Self.list(missing))")
            + expect(strangers.isEmpty, "answers that nobody asked for: \(Self.list(strangers))")
            + expect(
                results.damaged.isEmpty,
                "\(results.damaged.count) file(s) under an answer's name hold none")
            + expect(open.isEmpty, "messages that did not end: \(Self.list(open))")
            + expect(
                answeredOnce == asked.count,
                "\(answeredOnce) of \(asked.count) numbers were answered exactly once")
            + expect(
                completed == asked.count,
                "the store counted \(completed) completions, not \(asked.count)")
            + expect(
                refused == refusable.sorted(),
                "dead letters: \(Self.list(refused)), expected: \(Self.list(refusable.sorted()))")
            + killProblems(lost: lost) + comparisonProblems
    }

    private func killProblems(lost: Int) -> [String] {
        guard isKillDue else { return [] }
        guard let killed else {
            return [
                "no worker was found with a message in hand; ask for more numbers, or --no-kill"
            ]
        }
        let left = killed.held.filter { n in
            !courses.contains { $0.n == n && $0.isLeft(by: killed.worker) }
        }
        return left.isEmpty
            ? [] : ["held by the killed worker and reclaimed by nobody: \(Self.list(left))"]
    }

    private var comparisonProblems: [String] {
        guard let comparison else {
            return isComparisonDue
                ? ["nobody compared the results; install python3, or --no-check"] : []
        }
        if !comparison.differing.isEmpty {
            return ["\(comparison.by) has other digits for \(Self.list(comparison.differing))"]
        }
        return comparison.compared == asked.count
            ? [] : ["\(comparison.by) compared \(comparison.compared) of \(asked.count) numbers"]
    }

    /// The first few of a list.
    static func list(_ numbers: [UInt32]) -> String {
        guard !numbers.isEmpty else { return "none" }
        let shown = numbers.prefix(8).map { "\($0)" }.joined(separator: ", ")
        return numbers.count > 8 ? "\(shown) and \(numbers.count - 8) more" : shown
    }
}

extension Course {
    /// The store says that this worker lost it and another ended it.
    ///
    /// Or that it ended it by itself: its ack may have been on the way to the store when it was killed.
    fileprivate func isLeft(by killed: Int) -> Bool {
        guard let worker else { return false }
        return worker == killed
            ? losses.isEmpty && acks == 1 : losses.contains { $0.worker == killed }
    }
}
