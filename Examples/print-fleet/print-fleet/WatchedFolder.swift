// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Takes `.jsonl` files as they appear in a folder, by name, and renames each to `NAME.done`.
///
/// A writer puts a file there under another name and renames it when it is whole. A process that dies
/// half way takes the file again from its start: readings that were taken already are duplicates.
struct WatchedFolder {
    let path: String

    init(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
        else { throw Wrong(what: "--watch names no folder: \(path)") }
        self.path = path
    }

    func run(_ intake: Intake, until isStopping: () -> Bool) async throws {
        while !isStopping() {
            let names = try FileManager.default.contentsOfDirectory(atPath: path)
                .filter { $0.hasSuffix(".jsonl") && !$0.hasPrefix(".") }.sorted()
            for name in names where !isStopping() {
                let file = (path as NSString).appendingPathComponent(name)
                try await Source(name: file).take(by: intake)
                guard rename(file, file + ".done") == 0 else {
                    throw Wrong(
                        what: """
                            can't rename \(file): \(String(cString: strerror(errno))). It was taken; \
                            without the new name it would be taken again.
                            """)
                }
            }
            if names.isEmpty { try await Task.sleep(for: .milliseconds(250)) }
        }
    }
}
