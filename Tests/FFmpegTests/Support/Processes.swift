// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What runs on this machine, read from `/proc`.
enum Processes {
    /// Living processes (no zombies) in whose arguments one of the texts stands.
    static func naming(_ texts: String...) throws -> [Int32] { try naming(texts) }

    static func naming(_ texts: [String]) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != ProcessInfo.processInfo.processIdentifier,
                let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"),
                texts.contains(where: String(decoding: line, as: UTF8.self).contains)
            else { return nil }
            return pid
        }
    }
}

extension Processes {
    /// Waits until none is left; false when one still lives after half a minute.
    static func areGone(naming texts: String...) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if try naming(texts).isEmpty { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }
}
