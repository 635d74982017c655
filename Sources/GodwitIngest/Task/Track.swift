// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// The message of the pipeline: which object it is about. The same in every stage; results lie in the store.
public struct Track: Job, Hashable {
    public static let name = "audio.track"

    /// The store, as the sources name it: a bucket, or a directory.
    public var bucket: String
    public var key: String
    public var versionID: String?
    public var etag: String
    public var size: UInt64

    public init(
        bucket: String, key: String, versionID: String? = nil, etag: String, size: UInt64
    ) {
        self.bucket = bucket
        self.key = key
        self.versionID = versionID
        self.etag = etag
        self.size = size
    }

    enum CodingKeys: String, CodingKey {
        case bucket, key, etag, size
        case versionID = "version_id"
    }
}
