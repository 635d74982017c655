// SPDX-License-Identifier: Apache-2.0

/// A file that a task put into the output store.
public struct StoredFile: Sendable, Hashable, Codable {
    /// As the task called it.
    public var name: String
    /// Where it lies in the store.
    public var key: String
    public var size: UInt64
    /// In hex.
    public var sha256: String
    public var contentType: String

    public init(name: String, key: String, size: UInt64, sha256: String, contentType: String) {
        self.name = name
        self.key = key
        self.size = size
        self.sha256 = sha256
        self.contentType = contentType
    }

    enum CodingKeys: String, CodingKey {
        case name, key, size, sha256
        case contentType = "content_type"
    }
}

/// What `output.json` of a task holds. It is written last and only where nothing lies yet: who finds it
/// finds every file that it names, and has nothing to do.
public struct OutputRecord<Output: Codable & Sendable>: Codable, Sendable {
    public var schemaVersion = 1
    public var task: String
    public var version: Int
    public var options: String
    /// The hash of the input.
    public var input: String
    public var output: Output
    public var files: [StoredFile]

    package init(_ key: TaskKey, input: String, output: Output, files: [StoredFile]) {
        task = key.name
        version = key.version
        options = key.options
        self.input = input
        self.output = output
        self.files = files
    }

    enum CodingKeys: String, CodingKey {
        case task, version, options, input, output, files
        case schemaVersion = "schema_version"
    }
}

/// Stands for an output that the reader does not look at.
package struct AnyOutput: Codable, Sendable {
    package init() {}
    package init(from decoder: any Decoder) throws {}
    package func encode(to encoder: any Encoder) throws {
        _ = encoder.container(keyedBy: StoredFile.CodingKeys.self)
    }
}
