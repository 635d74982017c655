// SPDX-License-Identifier: Apache-2.0
import AWSClient
import FFmpeg
import Foundation
import Godwit
import GodwitIngest
import GodwitRedis
import GodwitSQLite
import SystemPackage

/// A directory, a bucket with a prefix, or a queue of SQS.
enum Place: Sendable, Hashable {
    case directory(FilePath)
    case bucket(String, prefix: String)
    case queue(String)

    /// The text was checked by the settings.
    init(_ text: String) {
        let parts = text.firstRange(of: "://").map {
            (String(text[..<$0.lowerBound]), text[$0.upperBound...])
        }
        switch parts {
        case ("s3", let rest)?:
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            self = .bucket(String(rest[..<slash]), prefix: String(rest[slash...].dropFirst()))
        case ("sqs", let rest)?: self = .queue(String(rest))
        default: self = .directory(Self.absolute(text))
        }
    }

    static func absolute(_ text: String) -> FilePath {
        let path = FilePath(text)
        let whole =
            path.isAbsolute
            ? path : FilePath(FileManager.default.currentDirectoryPath).pushing(path)
        return whole.lexicallyNormalized()
    }
}

/// What a run needs that must be closed again.
struct Setup: Sendable {
    let settings: Settings
    let broker: any Broker
    let pool: HTTPPool?
    let credentials: CredentialProvider?
    let shop: Workshop

    /// `inputs` are the stores by bucket; nil for one that is none of ours.
    static func with<R>(
        _ settings: Settings, broker name: String,
        inputs: @escaping @Sendable (String) throws -> (any ObjectStore)?,
        buckets: Set<String> = [], _ body: (Setup) async throws -> R
    ) async throws -> R {
        let reader: FFmpeg
        do {
            var options = FFmpegOptions()
            options.quiet = min(options.quiet, settings.quiet)
            reader = try await FFmpeg(options)
        } catch {
            throw TaskFailure(classifying: error) ?? .config("\(error)")
        }
        let out = Place(settings.out)
        var pool: HTTPPool?
        if case .bucket = out { pool = HTTPPool() }
        if !buckets.isEmpty, pool == nil { pool = HTTPPool() }
        do {
            let result = try await open(settings, name, inputs, buckets, reader, pool, body)
            await pool?.shutdown()
            return result
        } catch {
            await pool?.shutdown()
            throw error
        }
    }

    /// Closes what it opened, but not the pool.
    private static func open<R>(
        _ settings: Settings, _ name: String,
        _ inputs: @escaping @Sendable (String) throws -> (any ObjectStore)?,
        _ buckets: Set<String>, _ reader: FFmpeg, _ pool: HTTPPool?,
        _ body: (Setup) async throws -> R
    ) async throws -> R {
        let options = AWSOptions()
        // Made once: it keeps the credentials, the clock and the region that it learned.
        let credentials: CredentialProvider? = pool.map { CredentialProvider.chain(options, $0) }
        let s3: S3? = try pool.map { try S3(options, $0) }
        let output: any ObjectStore
        switch Place(settings.out) {
        case .bucket(let bucket, let prefix):
            guard let s3 else { throw TaskFailure.config("no connections") }
            output = try S3Store(s3, bucket: bucket, prefix: prefix)
        case .directory(let path): output = try DirectoryStore(path)
        case .queue:
            throw TaskFailure.config("results can't go to a queue: name a directory or s3://")
        }
        let broker: any Broker = try await open(name)
        let scratch: Scratch
        do {
            scratch = try Scratch(below: settings.tempFolder)
        } catch {
            await broker.shutdown()
            throw error
        }
        let shop = Workshop(
            input: { bucket in
                if let store = try inputs(bucket) { return store }
                guard let s3, buckets.contains(bucket) else {
                    throw TaskFailure.config(
                        "'\(bucket)' is none of the places that are read: was the queue filled by another set-up?"
                    )
                }
                return try S3Store(s3, bucket: bucket)
            },
            output: output, media: reader, scratch: scratch,
            admission: Admission(cpuSlots: settings.cpuSlots, tempBytes: settings.tempBytes),
            maxInputBytes: settings.maxInputBytes)
        let setup = Setup(
            settings: settings, broker: broker, pool: pool, credentials: credentials, shop: shop)
        let result: Result<R, any Error>
        do { result = .success(try await body(setup)) } catch { result = .failure(error) }
        scratch.close()
        await broker.shutdown()
        return try result.get()
    }

    private static func open(_ name: String) async throws -> any Broker {
        if name == "memory" { return MemoryBroker() }
        if name.hasPrefix("sqlite:") {
            return try await SQLiteBroker(path: String(name.dropFirst(7)))
        }
        return try await RedisBroker(name)
    }
}
