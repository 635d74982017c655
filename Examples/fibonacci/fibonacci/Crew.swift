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

/// The processes of a story: this program again, by its other words.
final class Crew: Sendable {
    /// A worker process as its starter sees it.
    struct Member: Sendable {
        /// By the order in which they were started, from 1.
        let place: Int
        let process: pid_t
        /// The number in its leases.
        let worker: UInt32
    }

    private struct State {
        var members: [Member] = []
        var killed: Set<pid_t> = []
        var ended = 0
    }

    private let state = Mutex(State())
    /// Its other end is ours alone: children end when we are gone, however that came.
    private let life: FileDescriptor
    private let ours: FileDescriptor

    init() throws {
        let ends = try FileDescriptor.pipe()
        (life, ours) = (ends.readEnd, ends.writeEnd)
        for end in [life, ours] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        try? life.close()
        try? ours.close()
    }

    /// All workers that have said their number.
    var members: [Member] { state.withLock(\.members) }
    /// How many workers have ended, by themselves or not.
    var ended: Int { state.withLock(\.ended) }

    /// The place of a worker by the number in its leases.
    func place(of worker: UInt32) -> Int? { members.first { $0.worker == worker }?.place }

    /// Starts a worker and returns when it has ended; one that was killed by us has ended well.
    func work(_ place: Int, _ arguments: [String]) async throws {
        defer { state.withLock { $0.ended += 1 } }
        try await run(["work", "--tells-number"] + arguments) { process, line in
            guard let number = UInt32(line) else { return }
            state.withLock {
                $0.members.append(Member(place: place, process: process, worker: number))
            }
        }
    }

    /// Runs this program; `heard` gets its lines.
    func run(
        _ arguments: [String], _ heard: (pid_t, String) -> Void
    ) async throws {
        guard let program = Bundle.main.executablePath else {
            throw Wrong("this program can't find its own file, which it needs to start others.")
        }
        let result = try await Subprocess.run(
            .path(FilePath(program)), arguments: Arguments(arguments),
            input: .fileDescriptor(life, closeAfterSpawningProcess: false),
            output: .sequence, error: .currentStandardError
        ) { execution in
            let process = execution.processIdentifier.value
            for try await line in execution.standardOutput.strings() {
                heard(process, line.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }
        let process = result.processIdentifier.value
        switch result.terminationStatus {
        case .exited(0): return
        case .signaled(SIGKILL) where state.withLock({ $0.killed.contains(process) }):
            return
        case let status:
            throw Wrong(
                "`fibonacci \(arguments[0])` ended by itself: \(status). Its words are above.")
        }
    }

    /// Kills the first worker that is found with messages in hand; returns it and what it held, nil when none was.
    func killOne(on broker: any Broker) async throws -> (Member, held: [MessageID])? {
        for member in members {
            // Why stop first: between a look and a kill it could finish what it holds.
            guard kill(member.process, SIGSTOP) == 0 else { continue }
            let leased = try await broker.inspector.messages(
                .leased, in: House.queue, after: nil, limit: 256)
            let held = leased.messages.filter { $0.worker == member.worker }.map(\.id)
            if !held.isEmpty {
                state.withLock { _ = $0.killed.insert(member.process) }
                _ = kill(member.process, SIGKILL)
                return (member, held)
            }
            _ = kill(member.process, SIGCONT)
        }
        return nil
    }
}
