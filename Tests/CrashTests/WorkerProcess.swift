// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Synchronization
import TestRedis

/// A crash worker in a process of its own: started, heard, stopped, continued and killed.
final class WorkerProcess: Sendable {
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
        let (stdin, stdout) = (try Spawned.pipe(), try Spawned.pipe())
        defer {
            close(stdin.reading)
            close(stdout.writing)
        }
        _ = fcntl(stdout.reading, F_SETFL, O_NONBLOCK)
        input = stdin.writing
        output = stdout.reading
        do {
            pid = try Spawned(
                Self.program, arguments, input: stdin.reading, output: stdout.writing, errors: 2
            ).pid
        } catch {
            close(stdin.writing)
            close(stdout.reading)
            throw error
        }
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
