// SPDX-License-Identifier: Apache-2.0
public import AWSClient
import Godwit
import NIOCore
public import SystemPackage

/// Objects in a bucket, under a prefix.
///
/// Keys go over as they are, behind the prefix; S3 itself knows no folders. What a put answered is
/// there for every later read (S3 is strongly consistent; ask it of a compatible store, too).
public struct S3Store: ObjectStore {
    public let bucket: String
    /// Empty, or with a slash at its end.
    public let prefix: String
    private let s3: S3

    public var name: String { "s3://\(bucket)/\(prefix)" }

    /// Throws ``StoreError/invalid(_:)`` for a prefix that is none.
    public init(_ s3: S3, bucket: String, prefix: String = "") throws(StoreError) {
        if !prefix.isEmpty { try StoreKey.check(prefix) }
        self.s3 = s3
        self.bucket = bucket
        self.prefix = prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
    }

    public func head(_ key: String) async throws(StoreError) -> ObjectInfo? {
        try StoreKey.check(key)
        do throws(AWSError) {
            return try await s3.head(bucket, prefix + key).map { info($0, key) }
        } catch {
            throw StoreError(error)
        }
    }

    public func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo {
        try StoreKey.check(key)
        do {
            let object = try await s3.get(bucket, prefix + key, range, ifMatch: ifMatch) {
                try await consume(Array($0.readableBytesView))
            }
            return info(object, key)
        } catch let error as AWSError {
            if error.kind == .cancelled { throw CancellationError() }
            throw StoreError(error)
        }
    }

    public func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try StoreKey.check(key)
        do throws(AWSError) {
            return outcome(try await s3.put(bytes, bucket, prefix + key, wanted(options)))
        } catch {
            throw StoreError(error)
        }
    }

    public func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try StoreKey.check(key)
        do throws(AWSError) {
            return outcome(
                try await s3.put(file: file.string, bucket, prefix + key, wanted(options)))
        } catch {
            throw StoreError(error)
        }
    }

    public func list(
        _ prefix: String, after: String?, limit: Int
    ) async throws(StoreError) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var next: String?
        do throws(AWSError) {
            while found.count < limit {
                let page = try await s3.list(
                    bucket, prefix: self.prefix + prefix, after: after.map { self.prefix + $0 },
                    limit: limit - found.count, next: next)
                for object in page.objects {
                    guard object.key.utf8.starts(with: self.prefix.utf8) else { continue }
                    let key = String(
                        decoding: object.key.utf8.dropFirst(self.prefix.utf8.count), as: UTF8.self)
                    // What other tools leave as a folder's mark is no object of ours.
                    if !key.isEmpty { found.append(info(object, key)) }
                }
                next = page.next
                if next == nil { break }
            }
        } catch {
            throw StoreError(error)
        }
        return found
    }

    public func delete(_ key: String) async throws(StoreError) {
        try StoreKey.check(key)
        do throws(AWSError) {
            try await s3.delete(bucket, prefix + key)
        } catch {
            throw StoreError(error)
        }
    }

    private func info(_ object: S3Object, _ key: String) -> ObjectInfo {
        ObjectInfo(
            key: key, size: object.size, etag: object.etag, versionID: object.versionID,
            contentType: object.contentType)
    }

    private func wanted(_ options: PutOptions) -> S3PutOptions {
        S3PutOptions(contentType: options.contentType, ifAbsent: options.ifAbsent)
    }

    private func outcome(_ result: S3PutResult) -> PutOutcome {
        switch result {
        case .stored(let etag): .stored(etag: etag)
        case .exists: .exists
        }
    }
}

extension StoreError {
    /// What an answer of S3 means for the caller.
    init(_ error: AWSError) {
        switch error.kind {
        case .missing:
            // A bucket that is not there is an operator's to make.
            self = error.code == "NoSuchBucket" ? .config(error.text) : .gone(error.text)
        case .precondition: self = .changed(error.text)
        case .denied: self = .config(error.text)
        case .conflict, .unavailable, .cancelled: self = .unavailable(error.text)
        case .refused, .badAnswer: self = .invalid(error.text)
        }
    }
}
