// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import GRDB
public import Godwit

extension SQLiteBroker: Diagnosable {
    /// Reads the version of SQLite, the writing connection's `synchronous` and the journal mode.
    public func diagnose() async -> [Diagnosis] {
        var findings = [Self.version(sqlite3_libversion_number())]
        do throws(BrokerError) {
            let level = try await run("read 'synchronous'") { (store) throws(StoreFault) in
                let statement = try Statement("PRAGMA synchronous", in: store.database)
                defer { statement.finalize() }
                return try statement.step() ? statement.int(0) : -1
            }
            findings.append(Self.durability(level))
            let (mode, damage) = try await reader.read("read 'journal_mode'") { db in
                (
                    try String.fetchOne(db, sql: "PRAGMA journal_mode") ?? "unknown",
                    try String.fetchAll(db, sql: "PRAGMA quick_check(10)")
                )
            }
            findings.append(Self.journal(mode))
            findings.append(Self.integrity(damage))
        } catch {
            findings.append(Diagnosis(.problem, "file", "unreadable", "\(error)"))
        }
        return findings
    }

    /// The WAL-reset race (3.7.0 to 3.51.2) needs two connections that write or checkpoint at the
    /// same moment: https://sqlite.org/changes.html, 3.51.3. The writer lock lets only one.
    static func version(_ number: Int32) -> Diagnosis {
        let (major, minor, patch) = (number / 1_000_000, number / 1000 % 1000, number % 1000)
        let isFixed =
            (minor, patch) >= (51, 3) || minor == 50 && patch >= 7 || minor == 44 && patch >= 6
        return Diagnosis(
            isFixed && major >= 3 ? .good : .note, "SQLite version", "\(major).\(minor).\(patch)",
            isFixed
                ? "has the WAL-reset race fixed"
                : """
                has the WAL-reset race (fixed in 3.51.3, 3.50.7 and 3.44.6). Godwit's writer lock \
                keeps its own processes out of it; let no other program write to this file
                """)
    }

    private static func durability(_ level: Int64) -> Diagnosis {
        level >= 2
            ? Diagnosis(
                .good, "synchronous", level == 2 ? "FULL" : "EXTRA",
                "what was accepted survives a power cut, as far as the disk keeps its word")
            : Diagnosis(
                .problem, "synchronous", "\(level)",
                "a power cut may lose what was accepted: use a SQLite that is not built to ignore FULL"
            )
    }

    private static func journal(_ mode: String) -> Diagnosis {
        mode == "wal" || mode == "truncate"
            ? Diagnosis(.good, "journal mode", mode, "survives a power cut with FULL")
            : Diagnosis(
                .problem, "journal mode", mode,
                "a power cut may undo the last commit: close all programs that have the file open, "
                    + "then open it with a Godwit worker, which sets it back")
    }

    private static func integrity(_ answers: [String]) -> Diagnosis {
        answers == ["ok"]
            ? Diagnosis(.good, "file", "sound", "SQLite's quick check finds nothing")
            : Diagnosis(
                .problem, "file", "damaged",
                "SQLite says: \(answers.joined(separator: "; ")). Stop the workers, copy the file, "
                    + "and recover it with `sqlite3 FILE .recover`")
    }
}
