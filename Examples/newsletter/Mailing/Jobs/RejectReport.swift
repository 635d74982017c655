// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The recipients no server takes, as lines of JSON that any number of processes append to.
package struct RejectReport: Sendable {
    /// One of them. Twice when a run was killed behind its line: readers keep one for each id.
    package struct Line: Sendable, Hashable, Codable {
        package let id: String
        package let recipient: String
        package let reply: String
    }

    package let path: String

    package init(path: String) { self.path = path }

    /// Appends one line by one write, which lands behind all others whole.
    func add(id: String, recipient: MailAddress, reply: SMTPReply) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = try encoder.encode(
            Line(id: id, recipient: recipient.text, reply: reply.description))
        data.append(UInt8(ascii: "\n"))
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RejectReportError(path: path, code: errno) }
        defer { close(descriptor) }
        let count = data.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count == data.count else { throw RejectReportError(path: path, code: errno) }
    }

    /// The lines, one for each id, in the order in which they came; what is cut off is left out.
    package func lines() throws -> [Line] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        var seen: Set<String> = []
        return try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: 0x0A)
            .compactMap { try? JSONDecoder().decode(Line.self, from: $0) }
            .filter { seen.insert($0.id).inserted }
    }
}

struct RejectReportError: Error, CustomStringConvertible {
    let path: String
    let code: Int32

    var description: String {
        "could not write to \(path): \(String(cString: strerror(code))). Free space or name another --report."
    }
}
