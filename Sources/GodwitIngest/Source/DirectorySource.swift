// SPDX-License-Identifier: Apache-2.0
public import Godwit
public import SystemPackage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Watches a directory and its subfolders for files that have stopped growing.
///
/// A file is announced when two looks in a row found the same size and time of change. Hidden names, names
/// of unfinished copies (`~`, `.tmp`, `.part`, …), links and whatever else is no plain file are passed
/// over. Nothing is removed: the same file is the same announcement until it changes.
public struct DirectorySource: MessageSource {
    private let source: ListSource

    /// `bucket` is how announcements name the directory; its path unless said otherwise.
    public init(
        _ directory: FilePath, bucket: String? = nil,
        options: ListSourceOptions = ListSourceOptions(), time: any TimeSource = SystemTime()
    ) {
        source = ListSource(
            name: directory.string, bucket: bucket ?? directory.string, looks: 2, options: options,
            time: time
        ) { after throws(StoreError) in
            // One page: what a directory holds fits in memory.
            after == nil ? try Self.scan(directory) : []
        }
    }

    public var name: String { source.name }

    public func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        try await source.run(concurrency: concurrency, handle)
    }

    private static let unfinished = [
        "~", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".swp",
    ]

    static func isPassedOver(_ name: String) -> Bool {
        let lowered = name.lowercased()
        return name.hasPrefix(".") || name.hasPrefix("#")
            || unfinished.contains { lowered.hasSuffix($0) }
    }

    /// Every plain file, by the path below `directory`; folders deeper than 32 are passed over.
    static func scan(_ directory: FilePath) throws(StoreError) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var folders: [(path: FilePath, key: String, depth: Int)] = [(directory, "", 0)]
        while let folder = folders.popLast() {
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: folder.path.string)
            } catch {
                // Why only the outermost: a folder below may have been removed since it was seen.
                if folder.depth > 0 { continue }
                throw .config(
                    "the directory '\(directory)' can't be read: \(error). Check that it is there.")
            }
            for name in names where !isPassedOver(name) {
                let path = folder.path.appending(name)
                let key = folder.key.isEmpty ? name : folder.key + "/" + name
                var facts = stat()
                guard lstat(path.string, &facts) == 0 else { continue }
                switch facts.st_mode & S_IFMT {
                case S_IFDIR where folder.depth < 32:
                    folders.append((path, key, folder.depth + 1))
                case S_IFREG:
                    #if canImport(Darwin)
                    let changed = facts.st_mtimespec
                    #else
                    let changed = facts.st_mtim
                    #endif
                    found.append(
                        ObjectInfo(
                            key: key, size: UInt64(max(0, facts.st_size)),
                            etag: "\(facts.st_ino)-\(changed.tv_sec).\(changed.tv_nsec)"))
                default: continue
                }
            }
        }
        return found.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
}
