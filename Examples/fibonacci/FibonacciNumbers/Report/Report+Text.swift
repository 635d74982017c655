// SPDX-License-Identifier: Apache-2.0

extension Report {
    /// The report for people, in lines of at most 80 columns.
    ///
    /// With `all` every message has its line; else the slowest `slowest` have.
    package func text(all: Bool, slowest: Int = 10) -> String {
        [
            timeSection(all ? courses : slowestCourses(slowest), isAll: all), killSection,
            resultSection, formulaSection,
        ]
        .compactMap { $0 }.joined(separator: "\n\n")
    }

    private func slowestCourses(_ count: Int) -> [Course] {
        let sorted = courses.filter { $0.end == .completed }.sorted {
            ($0.total, $1.n) > ($1.total, $0.n)
        }
        return Array(sorted.prefix(count))
    }

    private func timeSection(_ shown: [Course], isAll: Bool) -> String {
        let rows = shown.map { course in
            [
                "\(course.n)", course.digits.map { "\($0)" } ?? "-", "\(course.wait)",
                "\(course.run)", "\(course.total)", "\(course.runs)", "\(course.failures)",
                "\(course.losses.count)", course.worker.map { "\($0)" } ?? "-",
            ]
        }
        let title =
            isAll
            ? "Each of \(courses.count) messages, times in ms"
            : "The slowest \(shown.count) of \(courses.count) messages, times in ms"
        let sums = [("wait", wait), ("run", run), ("total", total)].compactMap { name, value in
            value.map { [name, "\($0.p50)", "\($0.p90)", "\($0.p99)", "\($0.max)"] }
        }
        return
            ([title]
            + Self.table(
                ["n", "digits", "wait", "run", "total", "runs", "failed", "lost", "worker"], rows)
            + ["", "All \(numbers) answered numbers, in ms"]
            + Self.table(["", "p50", "p90", "p99", "max"], sums))
            .joined(separator: "\n")
    }

    private var killSection: String? {
        guard let killed else { return nil }
        let rows = killed.held.sorted().map { n -> [String] in
            guard let course = courses.first(where: { $0.n == n }) else { return ["\(n)"] }
            let loss = course.losses.first { $0.worker == killed.worker }
            return [
                "\(n)", loss.map { "\($0.milliseconds)" } ?? "-", "\(course.runs)",
                course.worker.map { "\($0)" } ?? "-", "\(course.total)",
            ]
        }
        return
            (["Worker \(killed.worker) was killed and held \(killed.held.count)"]
            + Self.table(["n", "reclaimed after", "runs", "answered by worker", "total"], rows))
            .joined(separator: "\n")
    }

    private var resultSection: String {
        var lines = ["Results"]
        lines.append("  \(once) of \(numbers) numbers answered exactly once, \(results) results")
        lines.append(
            "  \(dead) dead, \(retried) failed run(s), \(lostLeases) lost lease(s), "
                + "\(unfinished) unfinished file(s)")
        for course in courses where course.end == .dead {
            lines.append("  dead: \(course.n)")
            lines.append("    \(course.reason ?? "no reason")")
        }
        if let service {
            lines.append(
                "  service: \(service.calls) calls, \(service.answered) answered, "
                    + "\(service.putOff) put off, \(service.refused) refused, "
                    + "\(service.abandoned) abandoned")
        }
        if let comparison {
            let equal = comparison.compared - comparison.differing.count
            lines.append("  equal to \(comparison.by): \(equal) of \(comparison.compared)")
        }
        lines.append(
            "  the largest is F(\(largest)): \(largestDigits) digits, "
                + "computed in \(largestMilliseconds) ms")
        lines.append("  \(seconds) s from the first message to the last answer")
        return lines.joined(separator: "\n")
    }

    private var formulaSection: String {
        let rows = formula.map { [$0.rounding.rawValue, "\($0.n)", $0.exact, $0.formula] }
        return
            (["The closed formula (φⁿ − ψⁿ) ÷ √5 in Double, where it first goes wrong"]
            + Self.table(["", "n", "exact", "formula"], rows)
            + ["  infinite from n = \(formulaInfiniteFrom) on"]).joined(separator: "\n")
    }

    /// Right-aligned columns, as wide as they need to be.
    private static func table(_ head: [String], _ rows: [[String]]) -> [String] {
        let lines = [head] + rows
        let widths = head.indices.map { column in
            lines.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return lines.map { cells in
            "  "
                + zip(cells, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
                .joined(separator: "  ")
        }
    }
}
