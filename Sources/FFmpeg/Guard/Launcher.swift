// SPDX-License-Identifier: Apache-2.0
package import Subprocess
package import SystemPackage

/// Starts a tool inside its ``Cage`` and stays with it until it and all it started are gone.
///
/// The environment is empty, standard input is closed (`/dev/null`), no other descriptor is passed on.
/// It leads a process group of its own: whatever ends the run, the group gets SIGTERM, then SIGKILL, and
/// the leader is reaped only after that, so that the group's number can not have become another's.
package struct Launcher: Sendable {
    package typealias Chunk = SubprocessOutputSequence.Buffer

    package struct Command: Sendable {
        package var tool: FilePath
        package var arguments: [String]
        package var folder: FilePath?
        package var limits: Limits

        package init(
            _ tool: FilePath, _ arguments: [String], in folder: FilePath? = nil, limits: Limits
        ) {
            self.tool = tool
            self.arguments = arguments
            self.folder = folder
            self.limits = limits
        }
    }

    package let cage: Cage

    package init(_ cage: Cage) { self.cage = cage }

    /// Runs it to its end and hands out its standard output as it comes, back-pressured: while `read`
    /// works, the tool waits at its pipe, and its clocks stand still.
    ///
    /// - Throws: what `read` threw, `CancellationError`, or ``MediaFailure`` if nothing could be started.
    package nonisolated(nonsending) func run(
        _ command: Command, watch: Watch, read: nonisolated(nonsending) (Chunk) async throws -> Void
    ) async throws -> ToolEnd {
        let log = ErrorLog()
        let clock = ContinuousClock()
        let began = clock.now
        var failure: (any Error)?
        let status: TerminationStatus
        do {
            status = try await Subprocess.run(
                configuration(command), input: .none, output: .sequence, error: .sequence
            ) { execution in
                failure = await attend(
                    execution, command.limits, watch: watch, log: log, read: read)
            }.terminationStatus
        } catch let error as SubprocessError {
            if Task.isCancelled { throw CancellationError() }
            throw Self.failure(error, command.tool)
        }
        try Task.checkCancellation()
        if let failure { throw failure }
        let ending: ToolEnd.Status =
            switch status {
            case .exited(let code): .exited(code)
            case .signaled(let signal): .killed(signal)
            }
        return ToolEnd(
            status: ending, stop: watch.stopped, elapsed: clock.now - began,
            cpuLimit: command.limits.cpu, errorText: log.text, decodeErrors: log.decodeErrors)
    }

    private typealias Running = Execution<NoInput, SequenceOutput, SequenceOutput>

    /// Reads both pipes and watches the clock. Returns, with what the reader threw, only when the
    /// leader is dead (though not yet reaped) and its group has been killed.
    private nonisolated(nonsending) func attend(
        _ execution: Running, _ limits: Limits, watch: Watch, log: ErrorLog,
        read: nonisolated(nonsending) (Chunk) async throws -> Void
    ) async -> (any Error)? {
        var failure: (any Error)?
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { for try await chunk in execution.standardError { log.add(chunk.bytes) } } catch
                { /* A broken pipe says no more than the status will. */  }
            }
            group.addTask { await Self.guardTime(execution, limits, watch) }
            do {
                for try await chunk in execution.standardOutput {
                    watch.pause()
                    defer { watch.resume() }
                    try await read(chunk)
                }
            } catch {
                watch.note(.reader)
                failure = error
                await execution.teardown(using: Self.ending(limits))
            }
            // Its output has ended; it has not. Signal 0 only asks: this waits, and the guard of
            // the time is still there.
            await execution.teardown(using: [
                .send(
                    signal: Signal(rawValue: 0), toProcessGroup: true,
                    allowedDurationToNextStep: .seconds(86_400))
            ])
            group.cancelAll()
        }
        // The leader may be gone and have left others behind.
        try? execution.send(signal: .kill, toProcessGroup: true)
        return failure
    }

    private static func guardTime(_ execution: Running, _ limits: Limits, _ watch: Watch) async {
        while !Task.isCancelled {
            switch watch.verdict() {
            case .wait(let duration):
                // Cancelled when the run has ended.
                do { try await Task.sleep(for: duration) } catch { return }
            case .stop(let reason):
                watch.note(reason)
                return await execution.teardown(using: ending(limits))
            }
        }
    }

    private static func ending(_ limits: Limits) -> [TeardownStep] {
        [
            .send(
                signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: limits.grace)
        ]
    }

    private func configuration(_ command: Command) -> Configuration {
        let (executable, arguments) = cage.command(
            command.tool, command.arguments, within: command.limits)
        var platform = PlatformOptions()
        platform.processGroupID = 0
        platform.teardownSequence = Self.ending(command.limits)
        let nothing: [Environment.Key: String] = [:]
        return Configuration(
            executable: .path(executable), arguments: Arguments(arguments),
            environment: .custom(nothing), workingDirectory: command.folder,
            platformOptions: platform)
    }

    private static func failure(_ error: SubprocessError, _ tool: FilePath) -> MediaFailure {
        let reason = "\(tool.lastComponent?.string ?? "the tool") could not be started: \(error)"
        return error.code == .executableNotFound
            ? .config(MediaFault(reason)) : .retry(MediaFault(reason))
    }
}
