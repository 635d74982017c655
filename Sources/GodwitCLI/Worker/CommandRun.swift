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

/// Runs a shell command for a message and turns its exit status into a verdict.
///
/// The command is a session of its own, so that a cancelled run (timeout, lost lease, shutdown)
/// ends with everything it started: SIGTERM, and SIGKILL two seconds later.
final class CommandRun: WorkRun {
    /// The exit codes that decide by themselves (sysexits: data error, try again later).
    private static let rejects: Int32 = 65
    private static let retries: Int32 = 75

    let command: String
    let queue: QueueName
    let retryAfter: Duration
    /// Else the command's stdout goes to stderr, because stdout carries our own JSON.
    let passesOutput: Bool
    private let acked = Atomic(0)
    private let failed = Atomic(0)
    private let rejected = Atomic(0)
    private let cancelled = Atomic(0)
    /// The process groups of what runs.
    private let groups = Mutex<Set<pid_t>>([])

    init(command: String, queue: QueueName, retryAfter: Duration, passesOutput: Bool) {
        self.command = command
        self.queue = queue
        self.retryAfter = retryAfter
        self.passesOutput = passesOutput
    }

    var summary: Work.Summary {
        Work.Summary(
            acked: acked.load(ordering: .relaxed), failed: failed.load(ordering: .relaxed),
            rejected: rejected.load(ordering: .relaxed),
            cancelled: cancelled.load(ordering: .relaxed))
    }

    /// Why a run failed, as it stands in the message's record.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    func callAsFunction(_ message: Message, _ context: JobContext) async throws {
        let status: TerminationStatus
        do {
            status = try await execute(message, context)
        } catch {
            cancelled.add(Task.isCancelled ? 1 : 0, ordering: .relaxed)
            failed.add(Task.isCancelled ? 0 : 1, ordering: .relaxed)
            throw Failed(description: "could not run the command: \(error)")
        }
        if Task.isCancelled {
            cancelled.add(1, ordering: .relaxed)
            throw CancellationError()
        }
        switch status {
        case .exited(0):
            acked.add(1, ordering: .relaxed)
        case .exited(Self.rejects):
            rejected.add(1, ordering: .relaxed)
            throw Verdict.reject("the command rejected it (exit \(Self.rejects))")
        case .exited(Self.retries):
            failed.add(1, ordering: .relaxed)
            throw Verdict.retry(
                after: retryAfter, reason: "the command asked for a retry (exit \(Self.retries))")
        case .exited(let code):
            failed.add(1, ordering: .relaxed)
            throw Failed(description: "the command failed with exit \(code)")
        case .signaled(let signal):
            failed.add(1, ordering: .relaxed)
            throw Failed(description: "the command was ended by signal \(signal)")
        }
    }

    /// Kills what runs and everything it started, without waiting for anybody.
    func killAll() {
        for group in groups.withLock({ $0 }) { kill(-group, SIGKILL) }
    }

    private func execute(_ message: Message, _ context: JobContext) async throws
        -> TerminationStatus
    {
        var platform = PlatformOptions()
        platform.createSession = true
        platform.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(2)),
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1)),
        ]
        let configuration = Configuration(
            executable: .path("/bin/sh"), arguments: ["-c", command],
            environment: environment(message, context), platformOptions: platform)
        var group: pid_t = 0
        defer { groups.withLock { _ = $0.remove(group) } }
        let result = try await Subprocess.run(
            configuration, input: .inputWriter,
            output: passesOutput ? .currentStandardOutput : .currentStandardError,
            error: .currentStandardError
        ) { execution in
            group = execution.processIdentifier.value
            groups.withLock { _ = $0.insert(group) }
            // Why ignored: a command need not read its payload; its exit status says how it went.
            _ = try? await execution.standardInputWriter.write(message.payload)
            try? await execution.standardInputWriter.finish()
        }
        return result.terminationStatus
    }

    private func environment(_ message: Message, _ context: JobContext) -> Environment {
        var values: [Environment.Key: String?] = [
            "GODWIT_ID": "\(message.id)", "GODWIT_KIND": message.kind,
            "GODWIT_ATTEMPT": "\(context.attempt)", "GODWIT_COUNT": "\(context.count)",
            "GODWIT_QUEUE": queue.text, "GODWIT_CONTENT_TYPE": message.contentType.text,
        ]
        for (name, value) in message.headers {
            guard let key = Environment.Key(rawValue: Self.variable(name)) else { continue }
            // A zero byte would end the value for the command.
            values[key] = value.replacing("\0", with: "")
        }
        return .inherit.updating(values)
    }

    /// `trace-id` is GODWIT_HEADER_TRACE_ID.
    static func variable(_ header: String) -> String {
        "GODWIT_HEADER_"
            + header.uppercased().map { character in
                character.isASCII && (character.isLetter || character.isNumber)
                    ? String(character) : "_"
            }.joined()
    }
}
