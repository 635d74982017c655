// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The answers in a folder, one file for each n: exactly once, whatever is killed where.
///
/// A message may be worked twice (its worker was killed behind the answer and before the ack), so the place
/// where results go must know what it has. Here it is the file system's own word that does: `link`
/// puts a finished file under its name, and fails when the name is taken.
package struct Results: Sendable {
    /// What became of an answer that was brought.
    package enum Outcome: Sendable, Hashable {
        case kept
        /// There was one, with the same digits; it stays as it is.
        case wasThere
    }

    /// What the folder holds.
    package struct Listing: Sendable {
        package var answers: [UInt32: Answer] = [:]
        /// Files under an answer's name that hold none.
        package var damaged: [String] = []
        /// What runs left that were killed before their file had its name.
        package var unfinished = 0
    }

    package let folder: String

    package init(folder: String) { self.folder = folder }

    private func path(_ n: UInt32) -> String { "\(folder)/F-\(n).json" }

    /// The answer to n; nil when there is none yet.
    ///
    /// Throws ``ResultsError`` when the file is there and does not hold one: somebody else wrote it.
    package func answer(to n: UInt32) throws -> Answer? {
        let path = path(n)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try Self.read(path, n)
    }

    /// Keeps an answer.
    ///
    /// - Atomic: the file has its name only when all of it is on the disk.
    /// - Repeated: the first answer stays; the same digits again change nothing.
    /// - Crash halfway: an unfinished file without an answer's name is left over, and is never read.
    /// - Throws: ``ResultsError`` when the digits are not those of the first, or the disk does not take them.
    package func keep(_ answer: Answer) throws -> Outcome {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let name = path(answer.n)
        let draft = "\(folder)/.draft-\(answer.n)-\(UUID().uuidString)"
        try Self.write(try encoder.encode(answer) + Data("\n".utf8), to: draft)
        defer { unlink(draft) }
        guard link(draft, name) == 0 else {
            guard errno == EEXIST else { throw ResultsError.disk(name, errno) }
            guard try Self.read(name, answer.n).decimal == answer.decimal else {
                throw ResultsError.differs(name)
            }
            return .wasThere
        }
        try Self.sync(folder)
        return .kept
    }

    /// Everything in the folder.
    package func listing() throws -> Listing {
        var listing = Listing()
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            if name.hasPrefix(".draft-") { listing.unfinished += 1 }
            guard name.hasPrefix("F-"), name.hasSuffix(".json") else { continue }
            // Why the number is read from the name: two names of one n are not two answers.
            guard let n = UInt32(name.dropFirst(2).dropLast(5)), name == "F-\(n).json",
                let answer = try? Self.read("\(folder)/\(name)", n)
            else {
                listing.damaged.append(name)
                continue
            }
            listing.answers[n] = answer
        }
        listing.damaged.sort()
        return listing
    }

    private static func read(_ path: String, _ n: UInt32) throws -> Answer {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard let answer = try? JSONDecoder().decode(Answer.self, from: data), answer.n == n,
            !answer.decimal.isEmpty,
            answer.decimal.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { throw ResultsError.damaged(path) }
        return answer
    }

    private static func write(_ data: Data, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ResultsError.disk(path, errno) }
        defer { close(file) }
        try data.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Foundation.write(
                    file, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw ResultsError.disk(path, errno) }
                done += count
            }
        }
        guard fsync(file) == 0 else { throw ResultsError.disk(path, errno) }
    }

    /// A name is safe from a power cut only when its folder is on the disk too.
    private static func sync(_ folder: String) throws {
        let directory = open(folder, O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { throw ResultsError.disk(folder, errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw ResultsError.disk(folder, errno) }
    }
}

package enum ResultsError: Error, Sendable, Hashable, CustomStringConvertible {
    case disk(String, Int32)
    case damaged(String)
    case differs(String)

    package var description: String {
        switch self {
        case .disk(let path, let code):
            """
            could not write \(path): \(String(cString: strerror(code))). Free space or name another \
            folder by --results.
            """
        case .damaged(let path):
            """
            \(path) holds no answer to the number in its name: something else wrote it. Look at it, and move \
            it away to have the number computed again.
            """
        case .differs(let path):
            """
            \(path) holds other digits than the service answered now; one of the two is wrong. The \
            first was left as it is.
            """
        }
    }
}
