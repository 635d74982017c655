// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitIngest
import SystemPackage
import Testing

@Suite struct SettingsTests {
    private func read(
        _ flags: [(String, String)] = [], _ environment: [String: String] = [:],
        _ json: String? = nil, needs: Set<String> = ["out"]
    ) async throws -> Settings {
        var file: FilePath?
        if let json {
            let url = FileManager.default.temporaryDirectory.appendingPathComponent(
                "settings-\(UUID().uuidString).json")
            try Data(json.utf8).write(to: url)
            file = FilePath(url.path)
        }
        defer { if let file { try? FileManager.default.removeItem(atPath: file.string) } }
        return try await Settings.read(
            file: file, flags: flags.map { (key: $0.0, value: $0.1) }, environment: environment,
            needs: needs)
    }

    private func problems(
        _ flags: [(String, String)] = [], _ environment: [String: String] = [:],
        _ json: String? = nil
    ) async -> [SettingsProblem] {
        do {
            _ = try await read(flags, environment, json)
            return []
        } catch {
            return (error as? SettingsError)?.problems ?? []
        }
    }

    @Test func `Flags go before the environment, and that before the file`() async throws {
        let settings = try await read(
            [("cpu.slots", "3")],
            ["AUDIO_INGEST_CPU_SLOTS": "4", "AUDIO_INGEST_RETRY_ATTEMPTS": "5"],
            #"{"out": "/tmp/x", "cpu": {"slots": 6}, "retry": {"attempts": 7}, "waveform": {"zooms": [128, 512]}, "webhook": {"url": "https://example.com/hook", "secret": "0123456789abcdef", "secretNext": "fedcba9876543210"}}"#
        )
        #expect(settings.cpuSlots == 3)
        #expect(settings.attempts == 5)
        #expect(settings.out == "/tmp/x")
        #expect(settings.zooms == [128, 512])
        #expect(settings.webhookSecrets.count == 2)
    }

    @Test func `Every problem is told at once, with the key, the value and what is allowed`()
        async
    {
        let problems = await problems(
            [("cpu.slots", "none"), ("waveform.mode", "loud"), ("colour", "red")],
            ["AUDIO_INGEST_LEASE_SECONDS": "0"],
            #"{"retry": {"attempts": 0}, "waveform": {"zooms": [1]}, "out": "s4://bucket", "cpus": 2}"#
        )
        let keys = Set(problems.map(\.key))
        #expect(
            keys == [
                "cpu.slots", "waveform.mode", "colour", "lease.seconds", "retry.attempts",
                "waveform.zooms", "out", "cpus",
            ])
        let slots = problems.first { $0.key == "cpu.slots" }
        #expect(
            slots?.description == "cpu.slots is \"none\": allowed is a whole number from 1 to 1024")
    }

    @Test func `A secret is never shown, and refused in the arguments`() async {
        let secret = "s3cr3t"
        let problems = await problems(
            [("webhook.secret", secret)],
            [
                "AUDIO_INGEST_WEBHOOK_SECRET_NEXT": secret,
                "AUDIO_INGEST_WEBHOOK_URL": "http://user:\(secret)@internal/",
            ])
        let text = problems.map(\.description).joined(separator: "\n")
        #expect(!text.contains(secret))
        #expect(text.contains("must not stand in the arguments"))
        #expect(problems.contains { $0.key == "webhook.secretNext" })
        #expect(problems.contains { $0.key == "webhook.url" })
    }

    @Test func `Values with commas, equals signs and dashes come through`() async throws {
        let settings = try await read([("out", "/tmp/a,b=--c d")])
        #expect(settings.out == "/tmp/a,b=--c d")
    }

    @Test func `Zooms are multiples of the finest`() async {
        #expect(await problems([("out", "/x"), ("waveform.zooms", "256,300")]).count == 1)
    }

    @Test func `Results don't go into the source`() async {
        #expect(
            await problems([("out", "/x"), ("source", "/x")]).map(\.key) == ["out"])
    }

    @Test func `A password in a broker's URL is not shown`() async {
        let problems = await problems([("out", "/x"), ("broker", "rediz://:hunter2@host")])
        #expect(problems.count == 1)
        #expect(!problems.map(\.description).joined(separator: "\n").contains("hunter2"))
    }
}
