// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Foundation
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Another language's integers as the judge of the results.
enum Python {
    /// Adds its way up to the largest n of the folder, with no closed formula and no doubling, and compares each
    /// file's digits on its way.
    private static let program = """
        import json, pathlib, platform, sys
        if hasattr(sys, "set_int_max_str_digits"):
            sys.set_int_max_str_digits(0)
        answers = {}
        for path in pathlib.Path(sys.argv[1]).glob("F-*.json"):
            answers[int(path.stem[2:])] = json.loads(path.read_text())["decimal"]
        differing, this, following = [], 0, 1
        for n in range(max(answers, default=-1) + 1):
            if n in answers and str(this) != answers[n]:
                differing.append(n)
            this, following = following, this + following
        print(json.dumps({"by": "Python " + platform.python_version() + "'s integers",
                          "compared": len(answers), "differing": differing}))
        """

    /// Throws ``Wrong`` when there is no python3: better before the work than behind it.
    static func find() async throws { _ = try await run(["pass"]) }

    /// Compares all results of a folder.
    ///
    /// Throws ``Wrong`` when there is no python3, or when it fails.
    static func compare(_ results: Results) async throws -> Comparison {
        let (status, text) = try await run([program, results.folder])
        guard case .exited(0) = status, let text,
            let comparison = try? JSONDecoder().decode(Comparison.self, from: Data(text.utf8))
        else {
            throw Wrong(
                "python3 ended with \(status) and without an answer. Its words are above.")
        }
        return comparison
    }

    private static func run(_ words: [String]) async throws -> (TerminationStatus, String?) {
        do {
            let outcome = try await Subprocess.run(
                .name("python3"), arguments: Arguments(["-I", "-c"] + words),
                output: .string(limit: 16 << 20), error: .currentStandardError)
            return (outcome.terminationStatus, outcome.standardOutput)
        } catch {
            throw Wrong(
                """
                python3 could not be started, so nobody compared the results: \(error). Install it, or \
                say --no-check.
                """)
        }
    }
}
