// SPDX-License-Identifier: Apache-2.0
import Foundation
import GodwitMonitor
import SystemPackage

extension Settings {
    init(_ reader: inout SettingsReader, needs: Set<String>) {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        source = Self.place("source", ["s3", "sqs"], &reader, isNeeded: needs.contains("source"))
        out = Self.place("out", ["s3"], &reader, isNeeded: needs.contains("out"))
        if source == out, !source.isEmpty {
            reader.fail("out", out, "it must not be the source, or results would be taken as input")
        }
        broker = Self.broker(&reader)
        tempFolder = Self.folder(&reader)
        tempBytes = UInt64(
            reader.integer("temp.bytes", 1 << 20...1 << 50, default: 16 << 30))
        cpuSlots = reader.integer("cpu.slots", 1...1024, default: cores)
        maxInputBytes = UInt64(
            reader.integer("input.maxBytes", 1...1 << 45, default: 4 << 30))
        if maxInputBytes > tempBytes {
            reader.fail(
                "input.maxBytes", "\(maxInputBytes)",
                "it must not be over temp.bytes (\(tempBytes)), or such a file would never be let in"
            )
        }
        inputBuckets = (reader.text("input.buckets") ?? "").split(separator: ",")
            .map { String($0.filter { $0 != " " }) }.filter { !$0.isEmpty }
        if source.hasPrefix("sqs://"), inputBuckets.isEmpty {
            reader.fail(
                "input.buckets", nil,
                "whoever may send to the queue says what is read: name the buckets that may be, with commas"
            )
        }
        deadFolder = FilePath(reader.text("dead.folder") ?? "")
        for stage in Self.stages {
            let value = stage == "analyse" || stage == "transcode" ? cores : 4
            concurrency[stage] = reader.integer("\(stage).concurrency", 1...256, default: value)
        }
        lease = reader.seconds("lease.seconds", 1...3600, default: .seconds(30))
        quiet = reader.seconds("quiet.seconds", 1...3600, default: .seconds(120))
        slow = reader.seconds("slow.seconds", 1...86_400, default: .seconds(300))
        attempts = reader.integer("retry.attempts", 1...254, default: 8)
        if reader.text("queue.messages") != nil {
            mostMessages = reader.integer("queue.messages", 1...1_000_000_000, default: 1)
        }
        zooms = reader.integers("waveform.zooms", 2...1 << 20, most: 16, default: [256, 512])
        if let finest = zooms.first, let odd = zooms.first(where: { $0 % finest != 0 }) {
            reader.fail(
                "waveform.zooms", zooms.map(String.init).joined(separator: ","),
                "\(odd) is no multiple of \(finest): the coarser ones are made of the finest, which stands first"
            )
        }
        splits = reader.flag("waveform.split", default: false)
        waveformMode = reader.choice("waveform.mode", default: .gapless)
        profiles = reader.choices("transcode.profiles", default: [.hls, .opus, .preview])
        readWebhook(&reader)
    }

    private mutating func readWebhook(_ reader: inout SettingsReader) {
        if let text = reader.text("webhook.allowHosts") {
            do {
                webhookHosts = try DialGuard(list: text)
            } catch {
                reader.fail(
                    "webhook.allowHosts", text, "\(error.reason); write host:port,host:port")
            }
        }
        if let text = reader.text("webhook.url") {
            do {
                let url = try WebhookURL(text)
                try webhookHosts.check(url)
                webhook = url
            } catch let refusal as WebhookRefusal {
                reader.failSecret(
                    "webhook.url",
                    "\(refusal.reason); allowed is https://host/path, or a host of webhook.allowHosts"
                )
            } catch {
                reader.failSecret("webhook.url", "\(error)")
            }
        }
        for key in ["webhook.secret", "webhook.secretNext"] {
            guard let text = reader.text(key) else { continue }
            if text.utf8.count < 16 {
                reader.failSecret(key, "allowed are 16 bytes or more, best 32 random ones as hex")
            }
            webhookSecrets.append(WebhookSecret(text))
        }
        if reader.text("webhook.url") != nil, reader.text("webhook.secret") == nil {
            reader.fail(
                "webhook.secret", nil,
                "a webhook is signed, so that the backend knows who calls: set \(Self.variable("webhook.secret"))"
            )
        }
    }

    private static func place(
        _ key: String, _ schemes: [String], _ reader: inout SettingsReader, isNeeded: Bool
    ) -> String {
        let forms =
            (["a directory"] + schemes.map { $0 == "s3" ? "s3://bucket/prefix" : "sqs://queue" })
            .joined(separator: ", ")
        guard let text = reader.text(key), !text.isEmpty else {
            if isNeeded { reader.fail(key, reader.text(key), "allowed is \(forms)") }
            return ""
        }
        if let mark = text.firstRange(of: "://") {
            let rest = text[mark.upperBound...]
            let name = rest.prefix { $0 != "/" }
            if !schemes.contains(String(text[..<mark.lowerBound])) || name.isEmpty {
                reader.fail(key, text, "allowed is \(forms)")
            }
        } else if text.utf8.contains(0) {
            reader.fail(key, text, "a path has no null byte; allowed is \(forms)")
        }
        return text
    }

    private static func broker(_ reader: inout SettingsReader) -> String {
        guard let text = reader.text("broker"), !text.isEmpty else { return "" }
        let isKnown =
            text == "memory" || text.hasPrefix("sqlite:") && text.utf8.count > 7
            || ["redis://", "rediss://", "redis+unix://"].contains { text.hasPrefix($0) }
        if !isKnown {
            // Why only the beginning: such a URL may hold a password.
            reader.fail(
                "broker", "\(text.prefix { $0 != ":" && $0 != "@" })…",
                "allowed is sqlite:FILE, redis://host:port, rediss://…, redis+unix://… or memory")
        }
        return text
    }

    private static func folder(_ reader: inout SettingsReader) -> FilePath {
        let text = reader.text("temp.folder")
        let path = FilePath(
            text
                ?? FileManager.default.temporaryDirectory.appendingPathComponent(
                    "audio-ingest-\(getuid())"
                ).path)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder),
            !isFolder.boolValue
        {
            reader.fail(
                "temp.folder", path.string,
                "it is a file; allowed is a folder, which is made if needed")
        }
        return path
    }
}
