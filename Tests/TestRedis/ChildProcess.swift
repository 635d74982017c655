// SPDX-License-Identifier: Apache-2.0
public import Foundation
import Synchronization

/// A child process until its end; nothing here blocks a task's thread.
public final class ChildProcess: Sendable {
    /// How it ended.
    public enum End: Sendable, Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    private struct State {
        var end: End?
        var waiting: [CheckedContinuation<End, Never>] = []
    }

    public let pid: pid_t
    private let state = Mutex(State())

    /// Starts `path` with three descriptors of the caller's, who keeps and closes them.
    public convenience init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil,
        in directory: String? = nil, input: Int32, output: Int32, errors: Int32
    ) throws {
        self.init(
            try Spawned(
                path, arguments, environment: environment, in: directory, input: input,
                output: output, errors: errors),
            thenClosing: nil)
    }

    /// Starts `path`; `heard` gets all it has said so far with every piece, and nil at the end. Its
    /// standard input stays open as long as both of us live.
    convenience init(
        _ path: String, _ arguments: [String], heard: @escaping @Sendable (String?) -> Void
    ) throws {
        let (input, output) = (try Spawned.pipe(), try Spawned.pipe())
        defer {
            close(input.reading)
            close(output.writing)
        }
        let spawned: Spawned
        do {
            spawned = try Spawned(
                path, arguments, input: input.reading, output: output.writing,
                errors: output.writing)
        } catch {
            close(input.writing)
            close(output.reading)
            throw error
        }
        self.init(spawned, thenClosing: input.writing)
        Thread.detachNewThread {
            var said = ""
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(output.reading, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                if said.utf8.count < 1 << 16 {
                    said += String(decoding: bytes[..<count], as: UTF8.self)
                    heard(said)
                }
            }
            close(output.reading)
            heard(nil)
        }
    }

    private init(_ spawned: Spawned, thenClosing descriptor: Int32?) {
        pid = spawned.pid
        Thread.detachNewThread { [self] in
            // Why WNOWAIT first: the number stays its own until its end stands in our state.
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            let (end, waiting) = state.withLock { state in
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                let signal = status & 0x7F
                let end = signal == 0 ? End.exit(status >> 8 & 0xFF) : .signal(signal)
                state.end = end
                defer { state.waiting = [] }
                return (end, state.waiting)
            }
            if let descriptor { close(descriptor) }
            for one in waiting { one.resume(returning: end) }
        }
    }

    /// Waits until it is gone.
    @discardableResult
    public func end() async -> End {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state in
                if state.end == nil { state.waiting.append(continuation) }
                return state.end
            }
            if let end { continuation.resume(returning: end) }
        }
    }

    /// Kills it and waits until it is gone. Repeated: nothing happens.
    public func kill() async {
        signal(SIGKILL)
        await end()
    }

    /// Asks it to end.
    public func terminate() { signal(SIGTERM) }

    /// As Ctrl-C does.
    public func interrupt() { signal(SIGINT) }

    func signal(_ number: Int32) {
        state.withLock { state in
            // Why under the lock: a number whose process was waited for may be another's.
            if state.end == nil { _ = Foundation.kill(pid, number) }
        }
    }
}
