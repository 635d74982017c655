// SPDX-License-Identifier: Apache-2.0
import Foundation

extension DirectoryStore {
    public func list(
        _ prefix: String, after: String?, limit: Int
    ) async throws(StoreError) -> [ObjectInfo] {
        try await onBlockingThread { () throws(StoreError) in
            var found: [ObjectInfo] = []
            try self.walk(top, "", prefix, after, max(0, limit), &found)
            return found
        }
    }

    /// Entries in order of the keys below them: a folder stands where its name with a slash would.
    private func walk(
        _ folder: Descriptor, _ path: String, _ prefix: String, _ after: String?, _ limit: Int,
        _ found: inout [ObjectInfo]
    ) throws(StoreError) {
        let entries = try folder.entries(path).map { entry in
            (key: path + entry.name + (entry.isFolder ? "/" : ""), entry: entry)
        }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (key, entry) in entries {
            guard found.count < limit else { return }
            if path.isEmpty, entry.name == Self.folder { continue }
            guard Self.mayHold(key, prefix, after, isFolder: entry.isFolder) else { continue }
            if entry.isFolder {
                guard let next = try? folder.directory(entry.name, makes: false) else { continue }
                try walk(next, key, prefix, after, limit, &found)
            } else {
                var status = stat()
                guard fstatat(folder.number, entry.name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                    let info = Self.info(key, status)
                else { continue }
                found.append(info)
            }
        }
    }

    /// Whether a key, or one of those below a folder, is one that is asked for.
    private static func mayHold(
        _ key: String, _ prefix: String, _ after: String?, isFolder: Bool
    ) -> Bool {
        let bytes = key.utf8
        let isUnder =
            bytes.starts(with: prefix.utf8) || (isFolder && prefix.utf8.starts(with: bytes))
        guard isUnder else { return false }
        guard let after else { return true }
        return after.utf8.lexicographicallyPrecedes(bytes)
            || (isFolder && after.utf8.starts(with: bytes))
    }
}

extension Descriptor {
    /// What lies in this directory; names that are no UTF-8 are left out.
    func entries(_ name: String) throws(StoreError) -> [(name: String, isFolder: Bool)] {
        // Why opened again: a stream of entries keeps a position, and this number is shared.
        let copy = openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw StoreError.of(errno, name) }
        guard let stream = fdopendir(copy) else {
            close(copy)
            throw StoreError.of(errno, name)
        }
        defer { closedir(stream) }
        var found: [(name: String, isFolder: Bool)] = []
        while let entry = readdir(stream) {
            let text = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(validatingCString: $0)
                }
            }
            guard let text, text != ".", text != ".." else { continue }
            var isFolder = entry.pointee.d_type == UInt8(DT_DIR)
            if entry.pointee.d_type == UInt8(DT_UNKNOWN) {
                var status = stat()
                isFolder =
                    fstatat(number, text, &status, AT_SYMLINK_NOFOLLOW) == 0
                    && status.st_mode & S_IFMT == S_IFDIR
            }
            found.append((text, isFolder))
        }
        return found
    }
}
