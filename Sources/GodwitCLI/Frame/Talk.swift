// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// What the command says beside its data; goes to stderr.
enum Talk {
    private static let quiet = Atomic(false)

    /// With -q only what went wrong is said.
    static func hush() { quiet.store(true, ordering: .relaxed) }

    static func say(_ text: String) {
        if quiet.load(ordering: .relaxed) { return }
        complain(text)
    }

    /// Says it whatever was asked for.
    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// Asks on the terminal; nil at the end of input.
    static func ask(_ question: String) -> String? {
        FileHandle.standardError.write(Data(question.utf8))
        return readLine()
    }
}
