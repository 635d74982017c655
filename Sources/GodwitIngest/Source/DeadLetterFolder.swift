// SPDX-License-Identifier: Apache-2.0
import Crypto
public import SystemPackage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Dead letters of a source that has none of its own: one JSON file for each, with the body as it was
/// and the reason. The same message again replaces its file.
public struct DeadLetterFolder: Sendable, Hashable {
    public let path: FilePath

    public init(_ path: FilePath) { self.path = path }

    /// Writes the letter under another name and renames it: it is there whole, or not at all.
    func put(
        _ message: SourceMessage, from source: String, reason: String
    ) async throws(StoreError) {
        let letter = JSONValue.object([
            "source": .string(source), "id": .string(message.id), "body": .string(message.body),
            "reason": .string(reason), "receive_count": .signed(Int64(message.receiveCount)),
        ])
        let file = path.appending("\(message.id.filter { $0.isLetter || $0.isNumber || $0 == "-" }).json")
        do {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: true)
            try Data((letter.text + "\n").utf8).write(
                to: URL(fileURLWithPath: file.string), options: .atomic)
        } catch {
            throw .unavailable("'\(file)' could not be written: \(error). Check the folder.")
        }
    }
}
