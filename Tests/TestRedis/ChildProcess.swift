// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A child process with a signal mask of its own, the lines it says, and its end.
///
/// Why not Foundation's: a child inherits the signal mask of the thread that starts it, and on a
/// task's thread SIGTERM is blocked; and waiting for many at once takes a run loop per thread.
final class ChildProcess: Sendable {
    let pid: pid_t
    /// Closing it gives the child end of file on its standard input.
    private let input: Int32
    private let state = Mutex(State())

    private struct State {
        var ended = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// Starts `path`; `heard` gets all it has said so far with every piece, and nil at the end.
    init(
        _ path: String, _ arguments: [String], heard: @escaping @Sendable (String?) -> Void
    ) throws {
        var stdin: [Int32] = [0, 0]
        var stdout: [Int32] = [0, 0]
        guard Self.pipe(&stdin), Self.pipe(&stdout) else {
            throw RedisServer.StartError(description: "no pipe: \(String(cString: strerror(errno)))")
        }
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
        posix_spawn_file_actions_adddup2(&actions, stdout[1], 2)
        posix_spawnattr_init(&attributes)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, &actions, &attributes, words, environ)
        close(stdin[0])
        close(stdout[1])
        guard failure == 0 else {
            close(stdin[1])
            close(stdout[0])
            throw RedisServer.StartError(
                description: "\(path) does not start: \(String(cString: strerror(failure)))")
        }
        let pid = child
        self.pid = pid
        input = stdin[1]
        let output = stdout[0]
        Thread.detachNewThread { [self] in
            var said = ""
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(output, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                if said.utf8.count < 1 << 16 {
                    said += String(decoding: bytes[..<count], as: UTF8.self)
                    heard(said)
                }
            }
            close(output)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            close(input)
            heard(nil)
            let waiting = state.withLock { state in
                state.ended = true
                return state.waiting
            }
            for one in waiting { one.resume() }
        }
    }

    /// Kills it and waits until it is gone. Repeated: nothing happens.
    func kill() async {
        signal(SIGKILL)
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if !state.ended { state.waiting.append(continuation) }
                return state.ended
            }
            if ended { continuation.resume() }
        }
    }

    func signal(_ number: Int32) {
        state.withLock { state in
            if !state.ended { _ = Foundation.kill(pid, number) }
        }
    }

    private static func pipe(_ ends: inout [Int32]) -> Bool {
        guard Foundation.pipe(&ends) == 0 else { return false }
        // A child of another test must not hold our ends open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return true
    }
}
