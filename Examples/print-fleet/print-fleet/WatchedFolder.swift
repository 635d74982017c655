// SPDX-License-Identifier: Apache-2.0
import Foundation
import PrintFleet

/// Takes `.jsonl` files as they appear in a folder, by name; any number of processes may watch one.
///
///     NAME.jsonl ─► NAME.jsonl.taking ─┬─► NAME.jsonl.done
///         ▲          (locked)          ├─► NAME.jsonl.failed   it can't be read
///         └────────── stopped ─────────┘
///
/// A writer puts a file there under another name and renames it when it is whole. The new name and a
/// lock on the file say whose it is. The lock of a process that dies ends with it, and the file is
/// taken again from its start: readings that were taken already are duplicates.
struct WatchedFolder {
    static let ending = ".jsonl"
    static let claimed = ".jsonl.taking"

    let path: String

    init(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else { throw Wrong(what: "--watch names no folder: \(path)") }
        self.path = path
    }

    /// Takes files until `isStopping`. A file that can't be read is set aside with a warning; only a
    /// folder that can't be listed and a store that fails end it.
    func run(_ intake: Intake, until isStopping: () -> Bool) async throws {
        while !isStopping() {
            var hasTaken = false
            for name in try files() where !isStopping() {
                if try await take(name, by: intake) { hasTaken = true }
            }
            if !hasTaken { try await Task.sleep(for: .milliseconds(250)) }
        }
    }

    /// Files to take, by name: those that wait, and those that a process may have died over.
    private func files() throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
            .filter { !$0.hasPrefix(".") }
        let claimed = Set(names.filter { $0.hasSuffix(Self.claimed) }.map(Self.original))
        let fresh = names.filter { $0.hasSuffix(Self.ending) && isFile($0) }
        // Why a set: while NAME is claimed, a new file of that name waits its turn.
        return claimed.union(fresh).sorted()
    }

    private static func original(_ name: String) -> String {
        String(name.dropLast(claimed.count - ending.count))
    }

    private func isFile(_ name: String) -> Bool {
        var isFolder: ObjCBool = false
        return !FileManager.default.fileExists(atPath: file(name), isDirectory: &isFolder)
            || !isFolder.boolValue
    }

    private func file(_ name: String) -> String { (path as NSString).appendingPathComponent(name) }

    /// Whether there was something to do: false when the file is another's.
    private func take(_ name: String, by intake: Intake) async throws -> Bool {
        let file = file(name)
        let taking = file + String(Self.claimed.dropFirst(Self.ending.count))
        if access(taking, F_OK) != 0, rename(file, taking) != 0 {
            if errno == ENOENT { return false }
            throw Wrong(
                what: """
                    can't rename \(file): \(String(cString: strerror(errno))). A file is claimed by \
                    its name, or two processes would take it. May this user write to the folder?
                    """)
        }
        do {
            let source = try Source(name: taking)
            defer { source.end() }
            guard source.claim() else { return false }
            let isWhole = try await intake.take(source)
            // Why before the end: the new name must stand when the lock is gone.
            try move(taking, to: isWhole ? file + ".done" : file)
            return true
        } catch let error as Unreadable {
            intake.progress.warn("\(error.what); it is set aside as \(name).failed")
            try move(taking, to: file + ".failed")
            return true
        }
    }

    private func move(_ old: String, to new: String) throws {
        guard rename(old, new) != 0 else { return }
        throw Wrong(
            what: """
                can't rename \(old) to \(new): \(String(cString: strerror(errno))). Without the new \
                name it would be taken again.
                """)
    }
}
