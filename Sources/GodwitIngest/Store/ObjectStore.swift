// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Where objects lie: a directory, or a bucket behind S3's protocol.
///
/// An object appears whole or not at all, and what a put answered is there for every later read.
/// Keys are text with `/` between their parts; a key that leaves the store (`..`, a leading `/`, a
/// null byte) is refused as ``StoreError/invalid(_:)``.
public protocol ObjectStore: Sendable {
    /// How a message names this store: `s3://bucket/prefix`, or the directory.
    var name: String { get }

    /// What is known of an object; nil when there is none.
    func head(_ key: String) async throws(StoreError) -> ObjectInfo?

    /// Hands the bytes of an object to `consume` in pieces, in order, not before it took the last one.
    ///
    /// `range` is of byte positions; `ifMatch` pins the object: ``StoreError/changed(_:)`` when another
    /// one lies there by now. Broken off on the way, it goes on from where it was, pinned.
    func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo

    /// Puts bytes that fit in memory.
    func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome

    /// Puts a file of any size; in parts where the store wants that, given up whole if it fails.
    func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome

    /// Keys that begin with `prefix`, in order of their bytes, after `after`; at most `limit`.
    func list(
        _ prefix: String, after: String?, limit: Int
    ) async throws(StoreError) -> [ObjectInfo]

    /// Removes an object; nothing happens when there is none.
    func delete(_ key: String) async throws(StoreError)
}

/// What a store knows of an object without reading it.
public struct ObjectInfo: Sendable, Hashable {
    public var key: String
    public var size: UInt64
    /// Names these bytes at this key: other bytes have another one. Compared, never parsed.
    public var etag: String
    public var versionID: String?
    public var contentType: String?

    public init(
        key: String, size: UInt64, etag: String, versionID: String? = nil,
        contentType: String? = nil
    ) {
        self.key = key
        self.size = size
        self.etag = etag
        self.versionID = versionID
        self.contentType = contentType
    }
}

public struct PutOptions: Sendable, Hashable {
    public var contentType: String?
    /// Only where nothing lies yet; what lies there stays, and the answer is ``PutOutcome/exists``.
    public var ifAbsent: Bool

    public init(contentType: String? = nil, ifAbsent: Bool = false) {
        self.contentType = contentType
        self.ifAbsent = ifAbsent
    }
}

public enum PutOutcome: Sendable, Hashable {
    case stored(etag: String)
    /// ``PutOptions/ifAbsent`` was asked and something lies there.
    case exists
}

/// Why a store did not do what was asked, by what the caller does next. The text says what was asked
/// of which store, what it answered, and what to look at; it holds no secret.
public enum StoreError: Error, Sendable, Hashable {
    /// There is no such object (404).
    case gone(String)
    /// Another object lies there than was asked for (412): look again.
    case changed(String)
    /// Not allowed or not set up (403, no such bucket, no credentials): an operator must act.
    case config(String)
    /// It may work later: network, 5xx, slow down, disk full.
    case unavailable(String)
    /// It never will: a key that is none, more bytes than a store takes, an answer that is no answer.
    case invalid(String)
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .gone(let text), .changed(let text), .config(let text), .unavailable(let text),
            .invalid(let text):
            text
        }
    }
}
