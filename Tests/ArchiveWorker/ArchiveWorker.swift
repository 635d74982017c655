// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitSQLite
import Logging

/// An archiver in a process of its own, for a test to kill.
///
///     ArchiveWorker QUEUE_FILE HISTORY_FILE
///
/// End of file on stdin ends it at once, so that it never outlives its test.
@main
struct ArchiveWorker {
    static func main() async throws {
        let words = CommandLine.arguments
        guard words.count == 3 else {
            FileHandle.standardError.write(
                Data("usage: ArchiveWorker QUEUE_FILE HISTORY_FILE\n".utf8))
            exit(64)
        }
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(0, &byte, 1) != 0 {}
            _exit(3)
        }
        let broker = try await SQLiteBroker(path: words[1])
        let history = try await History.open("sqlite:\(words[2])")
        var options = ArchiverOptions()
        // Why small: the more batches, the more places to be killed at.
        options.batchRows = 50
        options.shortestWait = .milliseconds(10)
        options.longestWait = .milliseconds(50)
        options.dutyTime = .milliseconds(300)
        try await Archiver(broker, into: history, options: options).run()
    }
}
