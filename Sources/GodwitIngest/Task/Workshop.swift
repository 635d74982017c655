// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What all tasks of a process work with: stores, the reader of media, and what the machine lends.
public struct Workshop: Sendable {
    /// The store of an input, by ``Track/bucket``. Throws for one that is not set up.
    public var input: @Sendable (_ bucket: String) throws -> any ObjectStore
    public var output: any ObjectStore
    public var media: any MediaReader
    public var scratch: Scratch
    public var admission: Admission
    /// The largest input that is fetched.
    public var maxInputBytes: UInt64
    /// The tasks of the chain, by type, so that one finds what another made.
    package var keys: [ObjectIdentifier: TaskKey] = [:]
    /// In the order of the chain.
    package var chain: [TaskKey] = []

    public init(
        input: @escaping @Sendable (_ bucket: String) throws -> any ObjectStore,
        output: any ObjectStore, media: any MediaReader, scratch: Scratch, admission: Admission,
        maxInputBytes: UInt64 = 4 << 30
    ) {
        self.input = input
        self.output = output
        self.media = media
        self.scratch = scratch
        self.admission = admission
        self.maxInputBytes = maxInputBytes
    }

    /// Reads a record, and looks whether it is the one that was asked for.
    func decode<Output>(
        _ type: OutputRecord<Output>.Type, _ bytes: [UInt8], _ key: TaskKey, _ inputHash: String
    ) throws -> OutputRecord<Output> {
        let record: OutputRecord<Output>
        do {
            record = try StableJSON.decode(type, from: bytes)
        } catch {
            throw TaskFailure.config(
                "\(key.record(for: inputHash)) in \(output.name) can't be read: \(error). If the task's output changed its shape, raise the task's version"
            )
        }
        guard record.task == key.name, record.version == key.version, record.input == inputHash
        else {
            throw TaskFailure.config(
                "\(key.record(for: inputHash)) in \(output.name) is about something else: was it copied there?"
            )
        }
        return record
    }
}

/// Which input hash a track has, as `inputs/<hash of bucket, key and version>.json` in the output store:
/// so a later stage, and a later run, need not fetch the object to find its results.
package struct InputNote: Codable, Sendable, Hashable {
    package var bucket: String
    package var key: String
    package var etag: String
    package var versionID: String?
    package var size: UInt64
    package var sha256: String

    enum CodingKeys: String, CodingKey {
        case bucket, key, etag, size, sha256
        case versionID = "version_id"
    }

    init(_ track: Track, _ input: InputFile) {
        bucket = track.bucket
        key = track.key
        etag = track.etag
        versionID = track.versionID
        size = input.size
        sha256 = input.sha256
    }

    static func place(of track: Track) -> String {
        // Why counted: no two different tracks are written alike.
        let parts = [track.bucket, track.key, track.versionID ?? "", track.etag]
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return "inputs/\(Digest.hex(of: text)).json"
    }
}
