// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file of JSON lines that several processes append to.
struct Results: Sendable {
    let path: String

    /// Appends one line by one `write`: with O_APPEND the system puts it behind all others whole.
    func append(_ digest: FileDigest) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var line = try encoder.encode(digest)
        line.append(UInt8(ascii: "\n"))
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ResultsError(path: path, code: errno) }
        defer { close(descriptor) }
        let count = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count == line.count else { throw ResultsError(path: path, code: errno) }
    }

    /// One digest per message id, and how many repeats and torn lines there were beside them.
    ///
    /// A worker that is killed between its line and its ack leaves a repeat; one that is killed
    /// within the write could leave a torn line, whose message runs again.
    func table() throws -> (digests: [FileDigest], repeats: Int, torn: Int) {
        guard FileManager.default.fileExists(atPath: path) else { return ([], 0, 0) }
        var seen: Set<MessageID> = []
        var digests: [FileDigest] = []
        var repeats = 0
        var torn = 0
        let decoder = JSONDecoder()
        for line in try Data(contentsOf: URL(fileURLWithPath: path)).split(
            separator: UInt8(ascii: "\n"))
        {
            guard let digest = try? decoder.decode(FileDigest.self, from: line) else {
                torn += 1
                continue
            }
            if seen.insert(digest.id).inserted { digests.append(digest) } else { repeats += 1 }
        }
        return (digests, repeats, torn)
    }

    /// Writes a table to a file of its own.
    func save(_ digests: [FileDigest], as path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = Data()
        for digest in digests {
            data += try encoder.encode(digest)
            data.append(UInt8(ascii: "\n"))
        }
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}

struct ResultsError: Error, CustomStringConvertible {
    let path: String
    let code: Int32

    var description: String {
        "could not write to \(path): \(String(cString: strerror(code))). Free space or choose another --into."
    }
}
