// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Testing

@Suite struct `The report` {
    /// Three numbers and one to be refused; worker 1 was killed and held 5.
    static func findings() -> Report.Findings {
        var findings = Report.Findings()
        findings.asked = [5, 10, 20]
        findings.refusable = [99]
        findings.courses = [
            course(5, losses: [.init(worker: 1, milliseconds: 3100)]), course(10), course(20),
            course(99, .dead),
        ]
        for (n, decimal) in [(5, "5"), (10, "55"), (20, "6765")] as [(UInt32, String)] {
            findings.results.answers[n] = ResultsTests.answer(n, decimal)
        }
        findings.completed = 3
        findings.isKillDue = true
        findings.killed = Killed(worker: 1, process: 4711, held: [5])
        findings.isComparisonDue = true
        findings.comparison = Comparison(by: "Python 3", compared: 3, differing: [])
        return findings
    }

    static func course(
        _ n: UInt32, _ end: Course.End = .completed, losses: [Course.Loss] = []
    ) -> Course {
        var course = Course(n: n, message: "m\(n)", end: end)
        (course.wait, course.run, course.total) = (Int(n) * 10, Int(n), Int(n) * 11)
        course.acks = end == .completed ? 1 : 0
        course.runs = 1 + losses.count
        course.losses = losses
        course.worker = 2
        if end == .dead {
            course.reason = "INVALID_ARGUMENT: n is 1000001; the service computes up to n = 1000000"
        }
        return course
    }

    @Test func `is exact when every number has one answer, one ack and the judge's digits`() {
        let report = Report(Self.findings())
        #expect(report.problems == [])
        #expect(report.isExact)
        #expect(report.numbers == 3 && report.once == 3 && report.results == 3)
        #expect(report.dead == 1 && report.lostLeases == 1)
        #expect(report.largest == 20 && report.largestDigits == 4)
        #expect(report.wait?.max == 200 && report.total?.p50 == 110)
    }

    /// What must not pass, and the word that the complaint has.
    static let defects: [(String, @Sendable (inout Report.Findings) -> Void)] = [
        ("no answer to 10", { $0.results.answers[10] = nil }),
        ("nobody asked for: 7", { $0.results.answers[7] = ResultsTests.answer(7, "13") }),
        ("hold none", { $0.results.damaged = ["F-1.json"] }),
        ("2 of 3 numbers were answered exactly once", { $0.courses[1].acks = 2 }),
        ("2 of 3 numbers were answered exactly once", { $0.courses[1].acks = 0 }),
        ("did not end: 20", { $0.courses[2].end = .open }),
        ("dead letters: 20, 99", { $0.courses[2].end = .dead }),
        ("dead letters: none", { $0.courses.removeLast() }),
        ("counted 4 completions, not 3", { $0.completed = 4 }),
        ("no worker was found", { $0.killed = nil }),
        ("reclaimed by nobody: 5", { $0.courses[0].losses = [] }),
        ("reclaimed by nobody: 5", { $0.courses[0].worker = 1 }),
        ("reclaimed by nobody: 5", { $0.courses[0].losses = [.init(worker: 3, milliseconds: 1)] }),
        ("nobody compared", { $0.comparison = nil }),
        (
            "other digits for 20",
            {
                $0.comparison = Comparison(by: "Python 3", compared: 3, differing: [20])
            }
        ),
        (
            "compared 2 of 3",
            {
                $0.comparison = Comparison(by: "Python 3", compared: 2, differing: [])
            }
        ),
    ]

    @Test(arguments: 0..<16)
    func `says what does not add up`(_ index: Int) throws {
        try #require(Self.defects.count == 16)
        let (word, spoil) = Self.defects[index]
        var findings = Self.findings()
        spoil(&findings)
        let problems = Report(findings).problems
        #expect(problems.contains { $0.contains(word) }, "\(problems)")
    }

    @Test func `takes an ack that was on its way when its worker was killed`() {
        var findings = Self.findings()
        findings.courses[0].losses = []
        findings.courses[0].worker = 1
        #expect(Report(findings).problems == [])
    }

    @Test(
        arguments: [
            ([7], 7, 7, 7, 7), (Array(1...100), 50, 90, 99, 100), (Array(1...10), 5, 9, 10, 10),
            ([3, 1, 2], 2, 3, 3, 3), (Array(repeating: 4, count: 300) + [9], 4, 4, 4, 9),
        ] as [([Int], Int, Int, Int, Int)])
    func `takes percentiles that were really measured`(
        _ values: [Int], _ p50: Int, _ p90: Int, _ p99: Int, _ max: Int
    ) throws {
        let percentiles = try #require(Percentiles(values))
        #expect(percentiles.p50 == p50 && percentiles.p90 == p90)
        #expect(percentiles.p99 == p99 && percentiles.max == max)
        #expect(Percentiles([]) == nil)
    }

    @Test func `fits into 80 columns, the slowest first or all by n`() {
        let report = Report(Self.findings())
        for text in [report.text(all: false), report.text(all: true)] {
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text)")
            #expect(text.contains("Worker 1 was killed and held 1"))
            #expect(text.contains("3100"))
            #expect(text.contains("equal to Python 3: 3 of 3"))
            #expect(text.contains("308061521170129  308061521170130"))
        }
        func order(_ text: String) -> [Substring] {
            text.split(separator: "\n").dropFirst(2).prefix(3).compactMap {
                $0.split(separator: " ").first
            }
        }
        #expect(order(report.text(all: false)) == ["20", "10", "5"])
        #expect(order(report.text(all: true)) == ["5", "10", "20"])
    }
}
