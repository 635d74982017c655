// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What runs on this machine, read from `/proc`.
enum Processes {
    /// Living processes (no zombies) in whose arguments the text stands.
    static func naming(_ text: String) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != ProcessInfo.processInfo.processIdentifier,
                let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"),
                String(decoding: line, as: UTF8.self).contains(text)
            else { return nil }
            return pid
        }
    }
}
