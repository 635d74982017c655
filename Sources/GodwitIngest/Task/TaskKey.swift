// SPDX-License-Identifier: Apache-2.0
import Crypto
import Godwit

/// Where the results of a task lie: the same for the same task, version and options, so that a result
/// that is there is the result.
public struct TaskKey: Sendable, Hashable {
    public let name: String
    public let version: Int
    /// As the task says them.
    public let options: String

    public init(_ task: some IngestTask) {
        self.init(name: type(of: task).name, version: type(of: task).version, options: task.options)
    }

    package init(name: String, version: Int, options: String) {
        self.name = name
        self.version = version
        self.options = options
    }

    /// `<task>.<version>.<first twelve digits of the hash of the options>`
    public var folder: String { "\(name).\(version).\(Digest.hex(of: options).prefix(12))" }

    /// The folder for one input in the output store.
    public func folder(for inputHash: String) -> String { "\(inputHash)/\(folder)" }

    /// What says that the task is finished: written last.
    public func record(for inputHash: String) -> String {
        "\(folder(for: inputHash))/\(Self.recordName)"
    }

    static let recordName = "output.json"
    static let timingsName = "timings.json"

    /// Why the name is none; nil when it is one. It stands in keys and in files' names.
    var problem: String? {
        let isPlain =
            (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
            }
        return isPlain
            ? nil
            : "the task's name '\(name.escapedForDisplay)' is not 1 to 40 of a-z, 0-9 and '-'"
    }
}

/// SHA-256 as text.
package enum Digest {
    package static func hex(of text: String) -> String {
        hex(of: Array(text.utf8))
    }

    package static func hex(of bytes: [UInt8]) -> String {
        Hex.string(Array(SHA256.hash(data: bytes)))
    }
}
