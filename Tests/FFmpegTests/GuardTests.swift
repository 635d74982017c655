// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import SystemPackage
import Testing

@Suite struct `Guard` {
    static let walls: [Cage.Walls] = [.namespaces, .none]

    /// The walls, where this machine can build them.
    private func guarded(
        _ body: String, in folder: FilePath, _ walls: Cage.Walls,
        _ change: (inout FFmpegOptions) -> Void = { _ in }
    ) async throws -> FFmpeg {
        do { return try await fake(body, in: folder, walls: walls, change) } catch {
            guard walls != .none else { throw error }
            return try await fake(body, in: folder, walls: Cage.Walls.none, change)
        }
    }

    @Test(arguments: walls)
    func `a tool that hangs is ended as stalled`(_ walls: Cage.Walls) async throws {
        try await withFolder { folder in
            let token = walls == .none ? "7123.25" : "7123.75"
            let ffmpeg = try await guarded(
                "trap '' TERM; echo 1234567; while :; do sleep \(token); done", in: folder, walls
            ) { $0.quiet = .milliseconds(500) }
            let (file, info) = try sample(in: folder)
            let end = await failure { _ = try await ffmpeg.decode(file, info) { _ in } }
            #expect(end?.word == "retry")
            #expect(end?.fault.reason.contains("stopped making progress") == true)
            #expect(try await Processes.areGone(naming: folder.string, token))
        }
    }

    @Test func `progress that says the same again is none`() async throws {
        try await withFolder { folder in
            let ffmpeg = try await fake(
                "while :; do echo out_time_us=500000; echo progress=continue; sleep 0.05; done",
                in: folder
            ) { $0.quiet = .milliseconds(700) }
            let (file, info) = try sample(in: folder)
            let end = await failure {
                _ = try await ffmpeg.transcode(file, info, to: .standard, in: folder)
            }
            #expect(end?.fault.reason.contains("stopped making progress") == true)
            #expect(try folder.names == ["fake", "sample"])
        }
    }

    @Test(arguments: walls)
    func `its children end with it`(_ walls: Cage.Walls) async throws {
        try await withFolder { folder in
            // Where there is a PID namespace, one that left the group ends too.
            let token = walls == .none ? "8234.25" : "8234.75"
            let away = walls == .none ? "" : "setsid sleep \(token) >/dev/null 2>&1 </dev/null &"
            let ffmpeg = try await guarded(
                "(trap '' TERM; sleep \(token)) & sleep \(token) & \(away) echo 12345678; exit 0",
                in: folder, walls)
            let (file, info) = try sample(in: folder)
            let report = try await ffmpeg.decode(file, info) { _ in }
            #expect(report.frames == 2)
            if ffmpeg.launcher.cage.walls == walls {
                // By the folder are known those that have forked and not yet become a sleeper.
                #expect(try await Processes.areGone(naming: folder.string, token))
            }
            for pid in try Processes.naming(token) { kill(pid, SIGKILL) }
        }
    }

    @Test func `what writes for ever is ended, and little of it is kept`() async throws {
        try await withFolder { folder in
            let (file, info) = try sample(in: folder)
            let loud = try await fake("exec cat /dev/zero", in: folder) {
                $0.maxDuration = .seconds(100)
            }
            var samples = 0
            let end = await failure {
                _ = try await loud.decode(file, info) { samples += $0.count }
            }
            #expect(end?.word == "limit")
            #expect(samples < 100 * 8000 + 100_000)
            let probing = await failure { _ = try await loud.probe(file) }
            #expect(probing?.word == "limit")
        }
        try await withFolder { folder in
            let (file, info) = try sample(in: folder)
            let angry = try await fake(
                "head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 1", in: folder)
            let end = await failure { _ = try await angry.decode(file, info) { _ in } }
            #expect(end?.word == "invalid")
            #expect(end?.fault.errorText.utf8.count == 4096)
        }
    }

    @Test func `it inherits no environment, no descriptor, and may write no file`() async throws {
        try await withFolder { folder in
            let (file, info) = try sample(in: folder)
            let ffmpeg = try await fake(
                """
                { env; ls /proc/self/fd | tr '\\n' ' '; echo; cat; } >&2
                echo x > \(folder)/written
                exit 1
                """, in: folder)
            let end = await failure { _ = try await ffmpeg.decode(file, info) { _ in } }
            let said = try #require(end?.fault.errorText)
            #expect(ProcessInfo.processInfo.environment["PATH"] != nil)
            for name in ["HOME=", "TMPDIR=", "AWS_", "USER="] { #expect(!said.contains(name)) }
            // The fourth is that of the listing itself.
            #expect(said.contains("0 1 2 3 \n"))
            let written = folder.appending("written")
            #expect((try? written.bytes)?.isEmpty ?? true)
        }
    }

    @Test func `processor time has its limit`() async throws {
        try await withFolder { folder in
            let ffmpeg = try await fake("while :; do :; done", in: folder)
            var limits = Limits(
                ffmpeg.options, time: .seconds(60), duration: 0, share: 0)
            limits.cpu = 1
            limits.wall = .seconds(240)
            let command = Launcher.Command(ffmpeg.ffmpeg, [], limits: limits)
            let end = await failure { _ = try await ffmpeg.launcher.text(command, limit: 10) }
            #expect(end?.word == "limit")
            #expect(end?.fault.reason.contains("processor time") == true)
        }
    }

    @Test func `a cancelled call ends its tool`() async throws {
        try await withFolder { folder in
            let ffmpeg = try await fake("echo 12345678; sleep 6234.5", in: folder)
            let (file, info) = try sample(in: folder)
            await #expect(throws: CancellationError.self) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await ffmpeg.decode(file, info) { _ in } }
                    while try Processes.naming("6234.5").isEmpty { await Task.yield() }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
            #expect(try await Processes.areGone(naming: "6234.5"))
        }
    }

    @Test func `without its programs it says what to install`() async throws {
        let end = await failure {
            _ = try await makeFFmpeg { $0.ffmpeg = "/nonexistent/ffmpeg" }
        }
        #expect(end?.word == "config")
    }

    @Test func `patience counts the tool's time, not the reader's`() {
        let now = ContinuousClock.now
        let limits = Limits(
            memory: 1, fileBytes: 0, cpu: 1, wall: .seconds(10), quiet: .seconds(3),
            grace: .seconds(1))
        var patience = Patience(limits, at: now)
        #expect(patience.verdict(at: now) == .wait(.seconds(3)))
        #expect(patience.verdict(at: now + .seconds(3)) == .stop(.stalled))
        patience.advance(at: now + .seconds(2))
        #expect(patience.verdict(at: now + .seconds(3)) == .wait(.seconds(2)))
        patience.pause(at: now + .seconds(3))
        #expect(patience.verdict(at: now + .seconds(100)) == .wait(.seconds(3)))
        patience.resume(at: now + .seconds(103))
        #expect(patience.verdict(at: now + .seconds(103)) == .wait(.seconds(2)))
        patience.advance(at: now + .seconds(109))
        #expect(patience.verdict(at: now + .seconds(110)) == .stop(.wallClock))
    }

    @Test func `the tail of errors is bounded and counts lost packets`() {
        var tail = ErrorTail()
        let line = Array("Error while decoding stream #0:0: Invalid data\n".utf8)
        for _ in 0..<10_000 { tail.add(line.span.bytes) }
        tail.add(Array("the end".utf8).span.bytes)
        #expect(tail.decodeErrors == 10_000)
        #expect(tail.text.utf8.count == 4096)
        #expect(tail.text.hasSuffix("the end"))
    }
}
