// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Subprocess
import Synchronization

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// The worker processes of a story: started, told apart, killed.
final class Crew: Sendable {
    /// A worker process as its starter sees it.
    struct Member: Sendable {
        let process: pid_t
        /// The number in its leases.
        let worker: UInt32
    }

    private struct State {
        var members: [Member] = []
        var ended = 0
    }

    private let arguments: [String]
    private let state = Mutex(State())
    /// Its other end is ours alone: workers end when we are gone, however that came.
    private let life: FileDescriptor
    private let ours: FileDescriptor

    init(arguments: [String]) throws {
        self.arguments = arguments
        let ends = try FileDescriptor.pipe()
        (life, ours) = (ends.readEnd, ends.writeEnd)
        for end in [life, ours] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        try? life.close()
        try? ours.close()
    }

    /// Those that have said their number and were not killed.
    var members: [Member] { state.withLock(\.members) }
    /// How many have ended, by themselves or not.
    var ended: Int { state.withLock(\.ended) }

    /// Starts one and returns when it has ended; one that was killed has ended well.
    func work() async throws {
        defer { state.withLock { $0.ended += 1 } }
        guard let program = Bundle.main.executablePath else {
            throw Wrong("this program can't find its own file, which it needs to start workers.")
        }
        let result = try await Subprocess.run(
            .path(FilePath(program)), arguments: Arguments(["work", "--tells-number"] + arguments),
            input: .fileDescriptor(life, closeAfterSpawningProcess: false),
            output: .sequence, error: .currentStandardError
        ) { execution in
            for try await line in execution.standardOutput.strings() {
                let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
                guard let number = UInt32(text) else { continue }
                let member = Member(
                    process: execution.processIdentifier.value, worker: number)
                state.withLock { $0.members.append(member) }
            }
        }
        switch result.terminationStatus {
        case .exited(0), .signaled(SIGKILL): return
        case let status:
            throw Wrong("a worker process ended by itself: \(status). Its words are above.")
        }
    }

    /// Kills the first that is found with batches in hand; returns how many it held, nil when none was.
    func killOne(on broker: any Broker) async throws -> Int? {
        for member in members {
            // Why stop first: between a look and a kill it could finish what it holds.
            guard kill(member.process, SIGSTOP) == 0 else { continue }
            let leased = try await broker.inspector.messages(
                .leased, in: Post.queue, after: nil, limit: 256)
            let held = leased.messages.count { $0.worker == member.worker }
            if held > 0 {
                _ = kill(member.process, SIGKILL)
                state.withLock { $0.members.removeAll { $0.process == member.process } }
                Post.say("SIGKILL to worker \(member.process), which held \(held) batch(es)")
                return held
            }
            _ = kill(member.process, SIGCONT)
        }
        return nil
    }
}
