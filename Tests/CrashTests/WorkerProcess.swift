// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Synchronization

/// A crash worker in a process of its own: started, heard, stopped, continued and killed.
///
/// Why not Foundation's: a child inherits the signal mask of the thread that starts it, and on a
/// task's thread SIGTERM is blocked.
final class WorkerProcess: Sendable {
    /// Why a process could not be started.
    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var isClosed = false
        var rest: [UInt8] = []
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    /// Which process of a test this is, from 0.
    let index: Int
    let pid: pid_t
    private let input: Int32
    private let output: Int32
    private let heard: @Sendable ([Report]) -> Void
    private let state = Mutex(State())

    /// Starts the program beside the test bundle; `heard` gets its reports in their order, on no
    /// particular thread, one call at a time; an empty list when it has ended.
    init(
        index: Int, _ arguments: [String], heard: @escaping @Sendable ([Report]) -> Void
    ) throws {
        self.index = index
        self.heard = heard
        var stdin: [Int32] = [0, 0]
        var stdout: [Int32] = [0, 0]
        guard pipe(&stdin) == 0, pipe(&stdout) == 0 else {
            throw StartError(description: "no pipe: \(String(cString: strerror(errno)))")
        }
        // Why: another child must not hold our ends open, or end of file never comes.
        for end in stdin + stdout { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(stdout[0], F_SETFL, O_NONBLOCK)
        #if os(Linux)
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #else
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, stdin[0], 0)
        posix_spawn_file_actions_adddup2(&actions, stdout[1], 1)
        posix_spawnattr_init(&attributes)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let path = Self.program
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        words.append(nil)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            for word in words { free(word) }
        }
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, &actions, &attributes, words, environ)
        close(stdin[0])
        close(stdout[1])
        guard failure == 0 else {
            close(stdin[1])
            close(stdout[0])
            throw StartError(
                description: """
                    \(path) does not start: \(String(cString: strerror(failure))). Is it built? \
                    `swift build --build-tests` builds it.
                    """)
        }
        pid = child
        input = stdin[1]
        output = stdout[0]
        Thread.detachNewThread { [self] in listen() }
    }

    /// The folder of the build holds the test bundle and the program.
    private static let program: String = {
        let places = [Bundle.main.executablePath].compactMap { $0 } + CommandLine.arguments
        for place in places {
            var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
            for _ in 0..<5 {
                let path = folder.appendingPathComponent("CrashWorker").path
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                    !isFolder.boolValue
                {
                    return path
                }
                folder = folder.deletingLastPathComponent()
            }
        }
        return ".build/release/CrashWorker"
    }()

    // MARK: Signals

    var hasEnded: Bool { state.withLock { $0.status != nil } }

    func signal(_ number: Int32) {
        state.withLock { state in
            // Why under the lock: a number whose process was waited for may be another's.
            if state.status == nil { _ = kill(pid, number) }
        }
    }

    /// Stops it; returns once no thread of it runs and all it has said is heard. False when it has
    /// ended instead.
    func stop() -> Bool {
        signal(SIGSTOP)
        var info = siginfo_t()
        // WNOWAIT leaves its end to be waited for by the one who listens.
        while waitid(P_PID, id_t(pid), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 {
            guard errno == EINTR else { return false }
        }
        take()
        return info.si_code == Int32(CLD_STOPPED)
    }

    func resume() { signal(SIGCONT) }

    /// Waits for its end and returns its status as `waitpid` gives it.
    func end() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    // MARK: Listening

    private func listen() {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        while true {
            guard poll(&waiting, 1, -1) >= 0 || errno == EINTR else { break }
            if !take() { break }
        }
        var status: Int32 = 0
        let continuations = { [self] in
            // Why WNOWAIT first: the number stays its own until the status stands in our state.
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            return state.withLock { state in
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                state.status = status
                defer { state.waiting = [] }
                return state.waiting
            }
        }()
        close(input)
        close(output)
        heard([])
        for one in continuations { one.resume(returning: status) }
    }

    /// Takes all that is in the pipe; false at its end.
    @discardableResult
    private func take() -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(output, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                if count == 0 { state.isClosed = true }
                guard count > 0 else { break }
                state.rest += bytes[..<count]
            }
            guard let last = state.rest.lastIndex(of: UInt8(ascii: "\n")) else {
                return !state.isClosed
            }
            let text = String(decoding: state.rest[...last], as: UTF8.self)
            state.rest.removeSubrange(...last)
            heard(text.split(separator: "\n").compactMap { Report(line: $0) })
            return !state.isClosed
        }
    }
}
