// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Finds regular files below a directory; follows no symbolic link.
struct Files {
    private(set) var paths: [String] = []
    /// Names that are not UTF-8, and directories that can't be read.
    private(set) var skipped = 0
    private let limit: Int

    init(below directory: String, limit: Int) {
        self.limit = limit
        // Why a list of what is still to be read: no recursion, whatever the depth.
        var open = [directory]
        while let next = open.popLast(), paths.count < limit { open += read(next).reversed() }
    }

    private mutating func read(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else {
            skipped += 1
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(validatingCString: $0)
                }
            }
            guard let name else {
                skipped += 1
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        var directories: [String] = []
        for name in names.sorted() {
            let path = directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0 else {
                skipped += 1
                continue
            }
            switch info.st_mode & S_IFMT {
            case S_IFDIR: directories.append(path)
            case S_IFREG where paths.count < limit: paths.append(path)
            default: break
            }
        }
        return directories
    }
}
