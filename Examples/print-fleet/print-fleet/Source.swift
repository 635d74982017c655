// SPDX-License-Identifier: Apache-2.0
import Foundation

/// An input that is open: what can't be read is said before anything is taken.
struct Source: Sendable {
    let name: String
    let descriptor: Int32

    init(name: String) throws {
        self.name = name == "-" ? "stdin" : name
        descriptor = name == "-" ? 0 : open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Unreadable(what: "can't read \(name): \(String(cString: strerror(errno)))")
        }
    }

    /// Locks the file for as long as it is open; false when another process has it, or has ended it
    /// and given it another name since.
    func claim() -> Bool {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
        var ours = stat()
        var named = stat()
        return fstat(descriptor, &ours) == 0 && stat(name, &named) == 0
            && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev
    }

    func end() { if descriptor > 2 { close(descriptor) } }
}

/// An input that can't be opened, or can't be read to its end.
struct Unreadable: Error, CustomStringConvertible {
    let what: String
    var description: String { what }
}
